import type { DurableService } from './durable-service.ts';

/** A service with all that only its resources need to know. */
export interface DurableDeployment extends DurableService {
  readonly kmsKey: KmsKey | undefined;
  readonly payloadBucket: PayloadBucket | undefined;
  readonly alarms: AlarmSettings | undefined;
  readonly dashboard: boolean;
  /** How the function of `durableDeadLetters` is mapped; present where `deadLetters` is. */
  readonly deadLetterMapping: DeadLetterMapping | undefined;
  /** Where the rights of each durable function go, by function key. */
  readonly roles: ReadonlyMap<string, FunctionRole>;
}

export interface DeadLetterMapping {
  /** Where it stands in the file. */
  readonly path: string;
  readonly batchSize: number;
  readonly maximumConcurrency: number;
  readonly enabled: boolean;
}

export type KmsKey = { readonly owned: true } | { readonly owned: false; readonly arn: string };

export type PayloadBucket = { readonly owned: true; readonly retentionDays: number } | { readonly owned: false; readonly name: string };

export interface AlarmSettings {
  readonly snsTopicArn: string | undefined;
  readonly tasksAgeSeconds: number;
  readonly deadLettersAgeSeconds: number;
  readonly resultsAgeSeconds: number;
  readonly throttles: number;
  readonly errors: number;
}

export type FunctionRole =
  /** The one role that serverless makes for all functions. */
  | { readonly kind: 'service' }
  /** One that we make, because `perFunctionRoles` asks for it. */
  | { readonly kind: 'made' }
  /** A role of the same template, by its logical id. */
  | { readonly kind: 'resource'; readonly logicalId: string }
  /** A role that exists, by its name. */
  | { readonly kind: 'existing'; readonly roleName: string };
