import { existsSync } from 'node:fs';

/** Debian's packages for programs of other processors: the emulator, and the libraries that ours names. */
const QEMU = '/usr/bin/qemu-aarch64-static';
const LIBRARIES = '/usr/aarch64-linux-gnu';

export const hasArm64 =
  [
    QEMU,
    `${LIBRARIES}/lib/libc.so.6`,
    `${LIBRARIES}/lib/libatomic.so.1`,
    `${LIBRARIES}/lib/libstdc++.so.6`,
  ].every((path) => existsSync(path)) || process.env['CI'] === 'true';

/** What a program of arm64 is started with. */
export const ARM64 = { program: QEMU, env: { QEMU_LD_PREFIX: LIBRARIES } } as const;
