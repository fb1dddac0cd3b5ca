import { sign, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { addSignature, publicKeyOf } from '../../../models/trust/envelope.ts';
import {
  generateKey,
  keyIdOf,
  rawPublicKey,
  readPrivateKey,
  readPublicKey,
} from '../../../models/trust/keys.ts';
import { keyOf, keyOfSeed, publicOf } from '../../support/trust.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** RFC 8032, section 7.1: TEST 1 to 3. */
const ED25519 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

describe('keys', () => {
  test.each(ED25519)('RFC 8032: $key', ({ seed, key, message, signature }) => {
    const pem = keyOfSeed(hex(seed)).export({ type: 'pkcs8', format: 'pem' }) as string;
    const privateKey = readPrivateKey(pem, null);
    expect(sign(null, hex(message), privateKey).toString('hex')).toBe(signature);
    const publicKey = publicKeyOf(hex(key).toString('base64'));
    expect(verify(null, hex(message), publicKey, hex(signature))).toBe(true);
    expect(rawPublicKey(publicKey)).toBe(hex(key).toString('base64'));
  });

  test('an id is the SHA-256 of the SubjectPublicKeyInfo', () => {
    // openssl pkey -pubin -in ed.pub -outform der | sha256sum, with the key of RFC 8032's TEST 1.
    const key = publicKeyOf(hex(ED25519[0]?.key as string).toString('base64'));
    expect(keyIdOf(key)).toBe('06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9');
  });

  test('a key that comes from a file is the one that was written', () => {
    const plain = generateKey(null);
    expect(plain.keyId).toBe(keyIdOf(readPublicKey(plain.publicPem)));
    const kept = generateKey('correct horse');
    expect(kept.privatePem).toContain('ENCRYPTED');
    const message = Buffer.from('x');
    const signature = sign(null, message, readPrivateKey(kept.privatePem, 'correct horse'));
    expect(verify(null, message, readPublicKey(kept.publicPem), signature)).toBe(true);
    expect(() => readPrivateKey(kept.privatePem, null)).toThrow('no passphrase');
    expect(() => readPrivateKey(kept.privatePem, 'wrong')).toThrow('the passphrase is wrong');
    expect(() => readPublicKey(plain.privatePem)).toThrow('this is a private key');
    expect(() => readPrivateKey(plain.publicPem, null)).toThrow('expected a private key');
  });

  test('a point of small order, under which anybody can sign, verifies nothing', () => {
    // The identity, and one of order 8: with R = identity and s = 0 some implementations accept any message.
    const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    for (const point of [identity, hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')]) {
      const forged = Buffer.concat([identity, Buffer.alloc(32)]);
      for (let i = 0; i < 64; i++) {
        expect(verify(null, Buffer.from([i]), publicKeyOf(point.toString('base64')), forged)).toBe(false);
      }
    }
  });
});

describe('DSSE', () => {
  test('what is signed is the encoding that protocol.md publishes', () => {
    const envelope = addSignature(
      { payloadType: 'http://example.com/HelloWorld', payload: 'aGVsbG8gd29ybGQ=', signatures: [] },
      keyOf('any'),
    );
    const encoded = Buffer.from('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
    const [{ sig, keyid } = { sig: '', keyid: '' }] = envelope.signatures;
    expect(verify(null, encoded, publicOf('any'), Buffer.from(sig, 'base64'))).toBe(true);
    expect(keyid).toBe(keyIdOf(publicOf('any')));
  });

  test('lengths are bytes, not characters', () => {
    const envelope = addSignature(
      { payloadType: 'text/ü', payload: Buffer.from('é').toString('base64'), signatures: [] },
      keyOf('any'),
    );
    const sig = Buffer.from(envelope.signatures[0]?.sig as string, 'base64');
    expect(verify(null, Buffer.from('DSSEv1 7 text/ü 2 é'), publicOf('any'), sig)).toBe(true);
  });
});
