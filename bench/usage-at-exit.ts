/** For `node --import`: says on file descriptor 3, as JSON, what the process has used in all. */
import { writeSync } from 'node:fs';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
  writeSync(3, JSON.stringify({ cpuSeconds, peakBytes: maxRSS * 1024 }));
});
