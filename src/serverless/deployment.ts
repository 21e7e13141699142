import type { DurableService } from './durable-service.ts';
import type { Tags } from './resources/tags.ts';

/** A service, with the settings that only its resources need. */
export interface DurableDeployment extends DurableService {
  readonly kmsKey: KmsKey | undefined;
  readonly payloadBucket: PayloadBucket | undefined;
  readonly alarms: AlarmSettings | undefined;
  readonly dashboard: boolean;
  /** Whether functions write metrics of each step. */
  readonly metrics: boolean;
  /** Whether bundles are loaded when they are packaged. */
  readonly loadCheck: boolean;
  /** On everything that can have tags. */
  readonly tags: Tags;
  /** How the function of `durableDeadLetters` is mapped; present where `deadLetters` is. */
  readonly deadLetterMapping: DeadLetterMapping | undefined;
  /** The role that gets the rights of each durable function, by function key. */
  readonly roles: ReadonlyMap<string, FunctionRole>;
}

export interface DeadLetterMapping {
  /** Its path in serverless.yml. */
  readonly path: string;
  readonly batchSize: number;
  readonly maximumConcurrency: number;
  readonly enabled: boolean;
}

export type KmsKey = { readonly owned: true } | { readonly owned: false; readonly arn: string };

export type PayloadBucket = {
  /** Beginning of the keys that functions and engine may touch. */
  readonly keyPrefix: string;
} & ({ readonly owned: true; readonly retentionDays: number } | { readonly owned: false; readonly name: string });

export interface AlarmSettings {
  readonly snsTopicArn: string | undefined;
  readonly tasksAgeSeconds: number;
  readonly resultsAgeSeconds: number;
  readonly startsAgeSeconds: number;
  /** Undefined: no such alarm, as for the two below. */
  readonly deadLettersAgeSeconds: number | undefined;
  readonly throttles: number | undefined;
  readonly errors: number | undefined;
}

export type FunctionRole =
  /** The one role that serverless makes for all functions. */
  | { readonly kind: 'service' }
  /** One that the plugin makes, because of `perFunctionRoles`. */
  | { readonly kind: 'made' }
  /** A role of the same template, by its logical id. */
  | { readonly kind: 'resource'; readonly logicalId: string }
  /** A role that exists, by its name. */
  | { readonly kind: 'existing'; readonly roleName: string };
