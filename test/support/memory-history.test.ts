/** The history that others are compared with keeps the same contract. */
import { historyContract } from '../../src/history/history.contract.ts';
import { MemoryHistory } from './memory-history.ts';

historyContract('memory history', async () => {
  const history = new MemoryHistory();
  return {
    history,
    query: null,
    clear: async () => history.clear(),
    reopen: async () => history,
    dispose: async () => {},
  };
});
