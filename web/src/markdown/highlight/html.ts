// HTML with the CSS and JavaScript inside of it: one tokenizer that hands the stream to another and takes it back.
import { css } from "@codemirror/legacy-modes/mode/css";
import { javascript } from "@codemirror/legacy-modes/mode/javascript";
import { html as tags } from "@codemirror/legacy-modes/mode/xml";
import type { StreamParser, StringStream } from "@codemirror/streamparser";

interface State {
  tags: unknown;
  inner: { parser: StreamParser<unknown>; state: unknown; end: RegExp } | null;
  element: string;
  isClosing: boolean;
}

function start(parser: StreamParser<unknown>, indentUnit: number): unknown {
  return parser.startState?.(indentUnit) ?? {};
}

function innerToken(stream: StringStream, state: State, inner: NonNullable<State["inner"]>): string | null {
  const rest = stream.string.slice(stream.pos);
  const end = rest.search(inner.end);
  if (end === 0) {
    state.inner = null;
    state.isClosing = true;
    return tags.token(stream, state.tags);
  }
  const style = inner.parser.token(stream, inner.state);
  if (end > 0 && stream.pos > stream.start + end) stream.backUp(stream.pos - stream.start - end);
  return style;
}

export const html: StreamParser<State> = {
  name: "html",
  startState: (indentUnit) => ({ tags: start(tags, indentUnit), inner: null, element: "", isClosing: false }),
  token(stream, state) {
    if (state.inner !== null) return innerToken(stream, state, state.inner);
    const style = tags.token(stream, state.tags);
    const text = stream.current();
    if (text.startsWith("<")) state.isClosing = text.startsWith("</");
    if (style?.includes("tag") === true) state.element = text.toLowerCase();
    if (text === ">" && !state.isClosing && (state.element === "script" || state.element === "style")) {
      const parser = (state.element === "script" ? javascript : css) as StreamParser<unknown>;
      state.inner = { parser, state: start(parser, stream.indentUnit), end: new RegExp(`</${state.element}`, "i") };
    }
    if (text.endsWith(">")) state.element = "";
    return style;
  },
};
