import { PayloadStoreError } from '../../src/errors.ts';
import { payloadKey } from '../../src/payloads/payload-key.ts';
import type { PayloadPointer, PayloadStore, PayloadSubject } from '../../src/payloads/payload-store.ts';

/** A payload store in memory, which fails as it is told to. */
export class MemoryPayloads implements PayloadStore {
  readonly thresholdBytes = 400;
  readonly objects = new Map<string, string>();
  readonly subjects: PayloadSubject[] = [];
  fault: Error | undefined;
  #count = 0;

  async put(body: string, about: PayloadSubject): Promise<PayloadPointer> {
    if (this.fault !== undefined) throw this.fault;
    this.#count += 1;
    this.subjects.push(about);
    const key = payloadKey(about, `00000000-0000-0000-0000-${String(this.#count).padStart(12, '0')}`);
    this.objects.set(key, body);
    return { bucket: 'bodies', key };
  }

  async get({ key }: PayloadPointer): Promise<string> {
    if (this.fault !== undefined) throw this.fault;
    const body = this.objects.get(key);
    if (body === undefined) throw new PayloadStoreError('missing', `object "${key}" does not exist`);
    return body;
  }
}

export const unavailable = () => new PayloadStoreError('unavailable', 'S3 did not answer');
export const denied = () => new PayloadStoreError('denied', 'S3 refused');
