/** One session. */
export function SessionView({ sessionId }: { sessionId: string }) {
  return <h1>{sessionId}</h1>;
}
