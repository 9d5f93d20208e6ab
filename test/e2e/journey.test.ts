/** The journey on the embedded system. */
import { makeFolder, startSystem } from '../support/running-system.ts';
import { journey } from './journey.ts';

const folder = makeFolder('journey');

journey('a running system', {
  start: () => startSystem('--data', folder.path, '--seed', '7'),
  clear: folder.remove,
  backfillHours: 24,
  sources: ['process'],
});
