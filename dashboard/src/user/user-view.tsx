/** One user. */
export function UserView({ userId }: { userId: string }) {
  return <h1>{userId}</h1>;
}
