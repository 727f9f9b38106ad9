// Stands in for `punycode.js`: the browser itself turns a host into ASCII when a link is followed.

const unchanged = (host: string): string => host;

export default { toASCII: unchanged, toUnicode: unchanged };
