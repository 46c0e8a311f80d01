/**
 * The same work for many items, a few of them under way at a time.
 *
 * Promise: results stand in the order of the items. After the first that fails no further one is begun, and those under way have ended
 * before the failure is thrown.
 */
export async function severalAtOnce<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  let failed = false;
  const walk = async (): Promise<void> => {
    for (const [n, item] of left) {
      try {
        results[n] = await work(item);
      } catch (thrown) {
        failed = true;
        throw thrown;
      }
      if (failed) return;
    }
  };
  const walks = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, walk));
  for (const walked of walks) if (walked.status === 'rejected') throw walked.reason;
  return results;
}
