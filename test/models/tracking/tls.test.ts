import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { MlflowClient } from '../../../models/tracking/client.ts';
import { trackingServerFrom } from '../../../models/tracking/settings.ts';
import { fakeMlflow } from '../../support/mlflow.ts';
import { type Certificates, makeCertificates } from '../../support/mosquitto.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

function certificates(): Certificates {
  const made = makeCertificates(temporaryDirectory());
  if (made === null) throw new Error('openssl is needed to make certificates (Debian package openssl)');
  return made;
}

test.each([
  ['of the authority that is named', 'cert', true, null],
  ['of an authority that is not named', 'cert', false, /authority is not known here; name it in MLFLOW_/],
  ['that has expired', 'expiredCert', true, /expired; renew it/],
  ['of another host', 'strangerCert', true, /for another host name/],
] as const)('a certificate %s', async (_what, certificate, named, words) => {
  const made = certificates();
  const fake = await fakeMlflow({
    tls: { cert: readFileSync(made[certificate]), key: readFileSync(made.key) },
  });
  onTestFinished(() => fake.stop());
  const server = trackingServerFrom(fake.url, {
    MLFLOW_TRACKING_TOKEN: 'a-token',
    ...(named && { MLFLOW_TRACKING_SERVER_CERT_PATH: made.ca }),
  });
  if (server === null) throw new Error('no server');
  const client = new MlflowClient(server);
  onTestFinished(() => client.close());
  const asked = client.experiment('a');
  if (words === null) expect(await asked).toBe('1');
  else {
    await expect(asked).rejects.toThrow(words);
    // Who we are was not told to a stranger.
    expect(fake.seen).toEqual([]);
  }
});
