/** What can go wrong between page and server, as one kind of error that the page knows how to show. */
import * as v from "valibot";
import { ErrorBody, type Failure } from "./wire.ts";

/** Nobody is signed in, or no longer. */
const NOT_SIGNED_IN = "not_signed_in";
/** Faults that last until somebody does something about them, whatever their status says. */
const LASTING: ReadonlySet<string> = new Set(["key_not_set", "budget_exceeded"]);

export class ApiFailure extends Error {
  readonly type: string;
  /** HTTP status; 0 where no answer came at all. */
  readonly status: number;
  readonly retryAfter: number | null;
  readonly param: string | null;
  /** The server was not even asked. */
  readonly isUnsent: boolean;

  constructor(status: number, failure: Failure, isUnsent = false) {
    super(failure.message);
    this.name = "ApiFailure";
    this.status = status;
    this.type = failure.type;
    this.retryAfter = failure.retry_after ?? null;
    this.param = failure.param ?? null;
    this.isUnsent = isUnsent;
  }

  /** Whether the same request may well succeed a little later, or as soon as somebody is signed in again. */
  get passes(): boolean {
    if (LASTING.has(this.type)) return false;
    return this.isSignedOut || this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  get isSignedOut(): boolean {
    return this.status === 401 && this.type === NOT_SIGNED_IN;
  }

  get failure(): Failure {
    return { type: this.type, message: this.message, retry_after: this.retryAfter };
  }
}

export function networkFailure(cause: unknown): ApiFailure {
  return new ApiFailure(0, { type: "network", message: cause instanceof Error ? cause.message : String(cause) });
}

/** What is not even asked while it is known that nobody is signed in. */
export function signedOutFailure(): ApiFailure {
  return new ApiFailure(401, { type: NOT_SIGNED_IN, message: "Nobody is signed in." }, true);
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Read the error that a response carries, whatever sent it (a proxy's HTML page too). */
export async function failureOf(response: Response): Promise<ApiFailure> {
  const text = await response.text().catch(() => "");
  const parsed = v.safeParse(ErrorBody, parseJson(text));
  const seconds = Number(response.headers.get("retry-after"));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : null;
  if (parsed.success) return new ApiFailure(response.status, { retry_after: retryAfter, ...parsed.output.error });
  return new ApiFailure(response.status, {
    type: response.status >= 500 ? "server_unavailable" : "unexpected_answer",
    message: `HTTP ${String(response.status)} ${response.statusText}`.trim(),
    retry_after: retryAfter,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
