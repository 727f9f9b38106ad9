/** ZIPs as people bring them. */
import { crc32, deflateRawSync } from "node:zlib";

export const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export interface Packed {
  readonly name: string;
  readonly content: Uint8Array;
  readonly method?: number;
  readonly isLocked?: boolean;
}

/** A ZIP; `is64`: its numbers stand where those past four gigabytes do. */
export function zipped(files: readonly Packed[], is64 = false, comment = ""): Blob {
  const parts: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let at = 0;
  for (const { name, content, method = 8, isLocked = false } of files) {
    const packed = method === 8 ? new Uint8Array(deflateRawSync(content)) : content;
    const head = new DataView(new ArrayBuffer(30));
    head.setUint32(0, 0x04034b50, true);
    head.setUint16(8, method, true);
    head.setUint16(26, name.length, true);
    const extra = new DataView(new ArrayBuffer(is64 ? 28 : 0));
    if (is64) {
      extra.setUint16(0, 1, true);
      extra.setUint16(2, 24, true);
      extra.setBigUint64(4, BigInt(content.length), true);
      extra.setBigUint64(12, BigInt(packed.length), true);
      extra.setBigUint64(20, BigInt(at), true);
    }
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(8, isLocked ? 1 : 0, true);
    entry.setUint16(10, method, true);
    entry.setUint32(16, crc32(content), true);
    entry.setUint32(20, is64 ? 0xffffffff : packed.length, true);
    entry.setUint32(24, is64 ? 0xffffffff : content.length, true);
    entry.setUint16(28, name.length, true);
    entry.setUint16(30, extra.byteLength, true);
    entry.setUint32(42, is64 ? 0xffffffff : at, true);
    parts.push(new Uint8Array(head.buffer), bytes(name), packed);
    entries.push(new Uint8Array(entry.buffer), bytes(name), new Uint8Array(extra.buffer));
    at += 30 + name.length + packed.length;
  }
  const size = entries.reduce((sum, part) => sum + part.length, 0);
  const end64 = new DataView(new ArrayBuffer(is64 ? 76 : 0));
  if (is64) {
    end64.setUint32(0, 0x06064b50, true);
    end64.setBigUint64(40, BigInt(size), true);
    end64.setBigUint64(48, BigInt(at), true);
    end64.setUint32(56, 0x07064b50, true);
    end64.setBigUint64(64, BigInt(at + size), true);
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, is64 ? 0xffff : files.length, true);
  end.setUint32(12, is64 ? 0xffffffff : size, true);
  end.setUint32(16, is64 ? 0xffffffff : at, true);
  end.setUint16(20, comment.length, true);
  return new Blob([...parts, ...entries, new Uint8Array(end64.buffer), new Uint8Array(end.buffer), bytes(comment)] as BlobPart[]);
}

export const fileOf = (blob: Blob, name = "export.zip"): File => new File([blob], name);
