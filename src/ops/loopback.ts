/** Of this machine alone: its address, or a name that browsers resolve to it themselves. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1') return true;
  return /^127(\.\d{1,3}){3}$/.test(bare);
}
