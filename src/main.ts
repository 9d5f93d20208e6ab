#!/usr/bin/env node
/** The program `lull`: sees to it that Node.js is new enough, then runs the command. */
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(`lull needs Node.js 24 or newer; this is ${process.version}`);
  process.exit(1);
}
// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  console.error(`lull: standard output can't be written: ${error.message}`);
  process.exit(1);
});
// Loaded only now: what it imports may not even parse in an older Node.js.
const { runCommandLine } = await import('./commands/command-line.ts');
const status = await runCommandLine(process.argv.slice(2));
// After a failure, what could not be stopped must not keep the process; what went well ends by
// itself, once its output has been taken.
if (status !== 0) process.exit(status);
