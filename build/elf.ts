/** The few things about an ELF file that decide where it runs (System V gABI; LSB "Symbol Versioning"). */

const SHT_DYNAMIC = 6;
const DT_NEEDED = 1n;
const SHT_GNU_VERNEED = 0x6ffffffe;

/**
 * Versions that a dynamic linker must offer, by library: `{ 'libc.so.6': ['GLIBC_2.2.5', …] }`.
 *
 * @param bytes a whole little-endian 64-bit ELF file
 */
export function neededVersions(bytes: Buffer): Map<string, string[]> {
  const needed = new Map<string, string[]>();
  for (const [section, text] of sectionsOfType(bytes, SHT_GNU_VERNEED)) {
    let file = section.offset;
    for (let left = section.info; left > 0; left--) {
      const library = text(bytes.readUInt32LE(file + 4));
      const versions = needed.get(library) ?? [];
      needed.set(library, versions);
      let version = file + bytes.readUInt32LE(file + 8);
      for (let count = bytes.readUInt16LE(file + 2); count > 0; count--) {
        versions.push(text(bytes.readUInt32LE(version + 8)));
        version += bytes.readUInt32LE(version + 12);
      }
      file += bytes.readUInt32LE(file + 12);
    }
  }
  return needed;
}

/** Libraries that must be installed, e.g. `libatomic.so.1`. */
export function neededLibraries(bytes: Buffer): string[] {
  const libraries: string[] = [];
  for (const [section, text] of sectionsOfType(bytes, SHT_DYNAMIC)) {
    for (let at = section.offset; at < section.offset + section.size; at += 16) {
      if (bytes.readBigInt64LE(at) === DT_NEEDED) libraries.push(text(Number(bytes.readBigUInt64LE(at + 8))));
    }
  }
  return libraries;
}

/** The highest version of one family (`GLIBC`, `GLIBCXX`) over several files, as `2.28`; undefined: none needed. */
export function highestVersion(family: string, files: readonly Map<string, string[]>[]): string | undefined {
  const numbers = files
    .flatMap((file) => [...file.values()].flat())
    .flatMap((version) => new RegExp(`^${family}_(\\d+(?:\\.\\d+)*)$`).exec(version)?.slice(1) ?? []);
  return numbers.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

/** Sections of a type, each with a reader of the string table that it points at. */
function sectionsOfType(bytes: Buffer, type: number): [Section, (at: number) => string][] {
  const all = sections(bytes);
  return all
    .filter((section) => section.type === type)
    .map((section) => {
      const start = all[section.link]?.offset ?? 0;
      return [section, (at) => bytes.toString('latin1', start + at, bytes.indexOf(0, start + at))];
    });
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
}

function sections(bytes: Buffer): Section[] {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) throw new Error('not an ELF file');
  if (bytes[4] !== 2 || bytes[5] !== 1) throw new Error('not a little-endian 64-bit ELF file');
  const table = Number(bytes.readBigUInt64LE(40));
  const size = bytes.readUInt16LE(58);
  return Array.from({ length: bytes.readUInt16LE(60) }, (_, index) => {
    const at = table + index * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
    };
  });
}
