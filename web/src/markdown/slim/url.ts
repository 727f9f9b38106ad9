// Stands in for `mdurl`: all that is left of it to do is to escape what an address may not hold as it is.

const UNSAFE = /%(?![\da-f]{2})|[^\w;/?:@&=+$,.!~*'()#%-]/giu;

export function encode(address: string): string {
  return address.replace(UNSAFE, (char) => {
    try {
      return encodeURIComponent(char);
    } catch {
      // Half of a surrogate pair has no bytes.
      return "%EF%BF%BD";
    }
  });
}

interface Address {
  pathname: string;
}

export const decode = Object.assign((address: string): string => address, { defaultChars: "" });
export const parse = (address: string): Address => ({ pathname: address });
export const format = (address: Address): string => address.pathname;
