/**
 * What is fetched when it is first needed, and asked for again where that failed. Firefox keeps an import that failed, and
 * fails at once for as long as the page is open: it is asked for by another address then, which is in what it said.
 */
const ADDRESS = /https?:\S+\.js/;

export function part<T>(load: () => Promise<T>): () => Promise<T> {
  let failed: string | undefined;
  let times = 0;
  return async () => {
    try {
      return await load();
    } catch (error) {
      const before = failed;
      failed = ADDRESS.exec(String(error))?.[0];
      if (before === undefined) throw error;
      times += 1;
      return (await import(/* @vite-ignore */ `${before}?again=${String(times)}`)) as T;
    }
  };
}
