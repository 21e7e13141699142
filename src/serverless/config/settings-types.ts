import type { EVENT_KINDS } from './event-kinds.ts';
import type { Fields, Kind, SERVICE_FIELDS } from './schema.ts';
import type { DurableEvent } from './unread-settings.ts';

/** What a value of one of these kinds is, in TypeScript. */
type ValueOf<Given extends Kind> = Given extends { readonly is: 'text' }
  ? string
  : Given extends { readonly is: 'integer' }
    ? number
    : Given extends { readonly is: 'boolean' }
      ? boolean
      : Given extends { readonly is: 'constant'; readonly value: infer Value }
        ? Value
        : Given extends { readonly is: 'object'; readonly fields: infer Table extends Fields }
          ? SettingsOf<Table>
          : Given extends { readonly is: 'list'; readonly items: readonly (infer Item extends Kind)[] }
            ? readonly ValueOf<Item>[]
            : never;

type RequiredNames<Table extends Fields> = {
  [Name in keyof Table]: Table[Name] extends { readonly required: true } ? Name : never;
}[keyof Table];

type SettingsOf<Table extends Fields> = {
  readonly [Name in RequiredNames<Table>]: ValueOf<Table[Name]['accepts'][number]>;
} & { readonly [Name in Exclude<keyof Table, RequiredNames<Table>>]?: ValueOf<Table[Name]['accepts'][number]> };

/** `custom.durable` of a `serverless.ts`. */
export type DurableSettings = SettingsOf<typeof SERVICE_FIELDS>;

/** An event of this plugin in a `serverless.ts`: `{ durableStep: 'payments.charge-card' }`. */
export type DurableFunctionEvent = {
  readonly [Event in DurableEvent]: { readonly [Name in Event]: ValueOf<(typeof EVENT_KINDS)[Event][number]> };
}[DurableEvent];
