/**
 * Where a query's words stand in a text, as the server finds them (`stores/search_text.py`): compared without regard to case,
 * width and form of composition, at a word's beginning in scripts with spaces, anywhere in the others. Pure.
 */

export type Span = readonly [start: number, end: number];

/** Scripts in which a word may begin anywhere; Korean has spaces, but also particles and compounds. */
const RUNNING = "\\p{Script=Hangul}\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const BEGINS_ANYWHERE = new RegExp(`^[${RUNNING}]`, "u");
const ENDS_IN_WORD = new RegExp(`(?:(?![${RUNNING}])[\\p{L}\\p{N}\\p{M}])$`, "u");
const CHUNK = /[\p{L}\p{N}\p{M}]+/gu;
/** An input method shows the next syllable's first letter before the syllable is there. */
const HALF_TYPED = /(?<=[\uac00-\ud7a3])[\u1100-\u11ff\u3131-\u318e\uffa0-\uffdc]+$/;
/** Characters that stay as many when they are folded, or one with what joins it then. */
const CLUSTER = /(?:[\0-\x7f\u3041-\u3096\u4e00-\u9fff\uac00-\ud7a3](?![\p{M}\u1160-\u11ff\uff9e\uff9f]))+|[^][\p{M}\u1160-\u11ff\uff9e\uff9f]*/gu;
/** The words are where most of them are this near to each other, as in the search's own excerpt. */
const TOGETHER = 80;

const folded = (text: string): string => text.normalize("NFKC").toLowerCase().normalize("NFKC");

/** Returns where the words stand, in order. */
export function spansOf(query: string, text: string): Span[] {
  const chunks = new Set(folded(query).replace(HALF_TYPED, "").match(CHUNK));
  if (chunks.size === 0) return [];
  const { letters, starts } = aligned(text);
  const found = [...chunks].flatMap((chunk) => placesOf(chunk, letters).map((at): Span => [at, at + chunk.length]));
  found.sort((one, other) => one[0] - other[0]);
  return found.map(([start, end]) => [starts[start] ?? 0, endOf(starts, end, text)]);
}

/** Returns the first of these that has most of the others near behind it. */
export function densest(spans: readonly Span[]): Span | null {
  let best: Span | null = null;
  let most = 0;
  spans.forEach((span, index) => {
    let together = 0;
    while ((spans[index + together]?.[1] ?? Infinity) <= span[0] + TOGETHER) together += 1;
    if (together > most || best === null) [best, most] = [span, together];
  });
  return best;
}

/** A text as it is compared, and for each of its letters where that began in the text. */
function aligned(text: string): { letters: string; starts: number[] } {
  let letters = "";
  const starts: number[] = [];
  for (const { 0: cluster, index } of text.matchAll(CLUSTER)) {
    const piece = folded(cluster);
    const isSame = piece.length === cluster.length;
    for (let at = 0; at < piece.length; at += 1) starts.push(isSame ? index + at : index);
    letters += piece;
  }
  return { letters, starts };
}

/** The end of the character that the letter before `end` came from. */
function endOf(starts: readonly number[], end: number, text: string): number {
  const last = starts[end - 1] ?? 0;
  let next = end;
  while (starts[next] === last) next += 1;
  return starts[next] ?? text.length;
}

function placesOf(chunk: string, letters: string): number[] {
  const anywhere = BEGINS_ANYWHERE.test(chunk);
  const places: number[] = [];
  for (let at = letters.indexOf(chunk); at >= 0; at = letters.indexOf(chunk, at + 1)) {
    if (anywhere || !ENDS_IN_WORD.test(letters.slice(Math.max(0, at - 2), at))) places.push(at);
  }
  return places;
}
