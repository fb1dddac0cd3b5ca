import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { highestVersion, neededLibraries, neededVersions } from '../../build/elf.ts';

const runtime = process.platform === 'linux' ? readFileSync(process.execPath) : undefined;

describe('ELF', () => {
  it.skipIf(runtime === undefined)('reads what a dynamic linker has to offer', () => {
    const versions = neededVersions(runtime!);
    expect(versions.get('libc.so.6')).toContain('GLIBC_2.2.5');
    expect(highestVersion('GLIBC', [versions])).toMatch(/^2\.\d+$/);
    expect(neededLibraries(runtime!)).toContain('libc.so.6');
  });

  it('compares versions as numbers, over several files', () => {
    const one = new Map([['libc.so.6', ['GLIBC_2.2.5', 'GLIBC_2.9', 'GLIBC_2.28', 'GLIBC_PRIVATE']]]);
    const other = new Map([['libm.so.6', ['GLIBC_2.17', 'GLIBCXX_3.4.30']]]);
    expect(highestVersion('GLIBC', [one, other])).toBe('2.28');
    expect(highestVersion('CXXABI', [one, other])).toBeUndefined();
  });

  it('says what it was given instead', () => {
    expect(() => neededVersions(Buffer.from('#!/bin/sh'))).toThrow('not an ELF file');
    const small = Buffer.alloc(64);
    small.set([0x7f, 0x45, 0x4c, 0x46, 1, 1]);
    expect(() => neededLibraries(small)).toThrow('64-bit');
  });
});
