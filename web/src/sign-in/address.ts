/** The addresses of signing in: the way in, and what the server says in the page's own address when it went wrong. Pure. */

const ERROR = "sign_in_error";

/** Where signing in begins, and where it leads back to. For another account, the provider asks again who it is. */
export function signInAddress(returnTo: string, { otherAccount = false } = {}): string {
  return `/auth/sign-in?return_to=${encodeURIComponent(returnTo)}${otherAccount ? "&other_account=true" : ""}`;
}

/** The ways in that are offered, the likeliest first: with the account that the provider knows, or with another. */
export function waysIn(error: string | null): readonly ("known" | "other")[] {
  const isOfAccount = error === "not_allowed" || error === "second_account" || error === "account_disabled";
  if (isOfAccount) return ["other"]; // the provider would only send back the same account
  if (error === "email_not_verified" || error === "sign_in_cancelled") return ["known", "other"];
  return ["known"];
}

const LINK = /^#\/link\/([^/?#]{1,100})$/;

/** The token of a link that lets somebody in once; it stands behind the `#`, which browsers send to nobody. */
export const linkTokenOf = (hash: string): string | null => LINK.exec(hash)?.[1] ?? null;

/** The type of error that an address tells of, and the address without it. */
export function takeSignInError(address: string): { readonly type: string | null; readonly address: string } {
  const url = new URL(address);
  const type = url.searchParams.get(ERROR);
  url.searchParams.delete(ERROR);
  return { type, address: url.pathname + url.search + url.hash };
}
