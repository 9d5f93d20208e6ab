/** The history that others are compared with keeps the same contract. */
import { type HistoryUnderTest, historyContract } from '../../src/history/history.contract.ts';
import { MemoryHistory } from './memory-history.ts';

const make = async (): Promise<HistoryUnderTest> => {
  const history = new MemoryHistory();
  return {
    history,
    query: null,
    clear: async () => history.clear(),
    reopen: async () => history,
    dispose: async () => {},
  };
};

historyContract('memory history', make, false);
