// Stands in for `uc.micro`, which carries as tables what every browser of today knows by \p{…}.

export const P = /\p{P}/u;
export const S = /\p{S}/u;
export const Z = /\p{Z}/u;
export const Cc = /\p{Cc}/u;
