import { dlopen } from 'node:ffi';
import { unixAddress } from '../../agent/service-manager.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** The datagram socket that systemd would listen on. @returns what has come since the last call, message by message */
export function notifySocket(path: string): () => string[] {
  const { functions } = dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
    recv: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  });
  const socket = functions.socket(AF_UNIX, SOCK_DGRAM, 0);
  const address = unixAddress(path);
  if (functions.bind(socket, address, address.length) !== 0) throw new Error(`can't bind ${path}`);
  return () => {
    const received: string[] = [];
    for (;;) {
      const bytes = new Uint8Array(4096);
      const length = Number(functions.recv(socket, bytes, BigInt(bytes.length), MSG_DONTWAIT));
      if (length < 0) return received;
      received.push(new TextDecoder().decode(bytes.subarray(0, length)));
    }
  };
}
