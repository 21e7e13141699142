import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** Makes a certificate for 127.0.0.1 that lasts a day and that only those trust who are given its file. */
export function makeCertificate(folder: string): Certificate {
  const certificateFile = join(folder, 'server.crt');
  const keyFile = join(folder, 'server.key');
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1'];
  const extensions = ['subjectAltName=IP:127.0.0.1', 'basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=serverAuth'];
  execFileSync(
    'openssl',
    [...request, ...extensions.flatMap((extension) => ['-addext', extension]), '-keyout', keyFile, '-out', certificateFile],
    { stdio: 'pipe' },
  );
  return { certificateFile, keyFile };
}
