import { Logger as Powertools } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { type } from 'arktype';
import type { Context, SQSBatchResponse, SQSEvent, SQSHandler } from 'aws-lambda';
import * as v from 'valibot';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import {
  type DeadLetterHandlerOptions,
  type LambdaStepContext,
  type SqsDeadLetterHandler,
  type SqsStepHandler,
  type StepDefinition,
  type StepFunction,
  type StepHandlerOptions,
  sqsDeadLetterHandler,
  sqsStepHandler,
} from '../../src/lambda/index.ts';
import { runStep } from '../../src/local/run-step.ts';
import type { StepResult } from '../../src/wire/step-result.ts';

// Compiled by `tsc`, never run.

interface Charge {
  readonly orderId: string;
  readonly amountCents: number;
}
interface Receipt {
  readonly chargeId: string;
}
const chargeCard = async (input: Charge): Promise<Receipt> => ({ chargeId: input.orderId });

// --- one step, without schemas

expectTypeOf(sqsStepHandler('charge', chargeCard)).toEqualTypeOf<SqsStepHandler>();
sqsStepHandler('charge', async (input: Charge, step) => {
  expectTypeOf(input).toEqualTypeOf<Charge>();
  expectTypeOf(step).toEqualTypeOf<LambdaStepContext>();
  expectTypeOf(step.lambda).toEqualTypeOf<Context>();
  expectTypeOf(step.signal).toEqualTypeOf<AbortSignal>();
  expectTypeOf(step.remainingTimeMs()).toEqualTypeOf<number>();
  return { chargeId: 'c' };
});
sqsStepHandler('charge', (input) => {
  expectTypeOf(input).toBeUnknown();
});
sqsStepHandler('charge', () => undefined);
sqsStepHandler('charge', chargeCard, { concurrency: 5 });

// --- one step, its input from a schema

const zodCharge = z.object({ orderId: z.string(), amountCents: z.coerce.number() });
const valibotCharge = v.object({ orderId: v.string(), amountCents: v.pipe(v.string(), v.transform(Number)) });
const arkCharge = type({ orderId: 'string', amountCents: 'number' });
type Parsed = { orderId: string; amountCents: number };

sqsStepHandler(
  'charge',
  (input, step) => {
    expectTypeOf(input).toEqualTypeOf<Parsed>();
    expectTypeOf(step).toEqualTypeOf<LambdaStepContext>();
  },
  { input: zodCharge },
);
sqsStepHandler(
  'charge',
  (input) => {
    expectTypeOf(input).toEqualTypeOf<Parsed>();
  },
  { input: valibotCharge },
);
sqsStepHandler(
  'charge',
  async (input, { task }) => {
    expectTypeOf(input).toEqualTypeOf<Parsed>();
    return task.stepId;
  },
  { input: arkCharge },
);
sqsStepHandler('charge', chargeCard, { input: zodCharge });
sqsStepHandler('charge', (input: { orderId: string }) => input.orderId, { input: zodCharge });

// @ts-expect-error the schema gives a number where the function asks for a string
sqsStepHandler('charge', (input: { orderId: string; amountCents: string }) => input, { input: zodCharge });
// @ts-expect-error the schema gives no currency
sqsStepHandler('charge', (input: { currency: string }) => input.currency, { input: valibotCharge });
// @ts-expect-error the schema gives no currency
sqsStepHandler('charge', (input: { currency: string }) => input.currency, { input: arkCharge });

// --- one step, its output to a schema

const zodReceipt = z.object({ chargeId: z.string() });
const valibotReceipt = v.object({ chargeId: v.string() });
const arkReceipt = type({ chargeId: 'string' });
sqsStepHandler('charge', chargeCard, { output: zodReceipt });
sqsStepHandler('charge', chargeCard, { output: valibotReceipt });
sqsStepHandler('charge', chargeCard, { output: arkReceipt });
sqsStepHandler('charge', (input) => ({ chargeId: input.orderId }), { input: zodCharge, output: zodReceipt });
sqsStepHandler('charge', async (input) => ({ chargeId: input.orderId }), { input: arkCharge, output: valibotReceipt });
// What the schema takes in is what the function returns.
sqsStepHandler('count', () => '7', { output: z.string().transform(Number) });

// @ts-expect-error a receipt needs a chargeId
sqsStepHandler('charge', () => ({ id: 'c' }), { output: zodReceipt });
// @ts-expect-error a receipt needs a chargeId
sqsStepHandler('charge', async () => ({ id: 'c' }), { output: valibotReceipt });
// @ts-expect-error the chargeId is a string
sqsStepHandler('charge', (input) => ({ chargeId: input.amountCents }), { input: zodCharge, output: arkReceipt });
// @ts-expect-error the schema takes text
sqsStepHandler('count', () => 7, { output: z.string().transform(Number) });

// --- several steps

expectTypeOf(sqsStepHandler({ charge: chargeCard })).toEqualTypeOf<SqsStepHandler>();
sqsStepHandler(
  {
    charge: chargeCard,
    annotated: (input: Receipt, step) => {
      expectTypeOf(input).toEqualTypeOf<Receipt>();
      expectTypeOf(step).toEqualTypeOf<LambdaStepContext>();
    },
    'by.zod': {
      input: zodCharge,
      run: (input, step) => {
        expectTypeOf(input).toEqualTypeOf<Parsed>();
        expectTypeOf(step).toEqualTypeOf<LambdaStepContext>();
        return { chargeId: input.orderId };
      },
      output: zodReceipt,
    },
    'by.valibot': {
      run: async (input) => {
        expectTypeOf(input).toEqualTypeOf<Parsed>();
      },
      input: valibotCharge,
    },
    'by.arktype': {
      input: arkCharge,
      run: (input) => {
        expectTypeOf(input).toEqualTypeOf<Parsed>();
      },
    },
    'without.schema': { run: chargeCard },
    'output.only': { run: chargeCard, output: arkReceipt },
  },
  { concurrency: 2 },
);

sqsStepHandler({
  fine: chargeCard,
  // @ts-expect-error the schema gives no currency
  wrong: { run: (input: { currency: string }) => input.currency, input: zodCharge },
});
sqsStepHandler({
  // @ts-expect-error a receipt needs a chargeId
  wrong: { run: () => ({ id: 'c' }), output: zodReceipt },
});
// @ts-expect-error there is nothing to run
sqsStepHandler({ wrong: { input: zodCharge } });
// @ts-expect-error no such field
sqsStepHandler({ wrong: { run: chargeCard, inputs: zodCharge } });

// Of steps that are put together elsewhere.
const table = { charge: chargeCard, refund: { run: (input: Receipt) => input.chargeId, output: z.string() } };
sqsStepHandler(table);
const definition: StepDefinition<Charge, Receipt> = { run: chargeCard, input: zodCharge, output: zodReceipt };
sqsStepHandler({ charge: definition });
const steps: Record<string, StepFunction<unknown, unknown>> = {};
sqsStepHandler(steps);

// --- options

sqsStepHandler('charge', chargeCard, {
  around: async (step, next) => {
    expectTypeOf(step).toEqualTypeOf<LambdaStepContext>();
    expectTypeOf(step.task.traceparent).toEqualTypeOf<string | undefined>();
    const output = await next();
    expectTypeOf(output).toBeUnknown();
    return output;
  },
});
const shared: StepHandlerOptions = { prefix: 'shop', concurrency: 3 };
sqsStepHandler('charge', chargeCard, shared);
sqsStepHandler('charge', chargeCard, { ...shared, input: zodCharge });
// @ts-expect-error no such option
sqsStepHandler('charge', chargeCard, { concurency: 5 });
// @ts-expect-error a number is needed
sqsStepHandler('charge', chargeCard, { concurrency: '5' });
// @ts-expect-error no such option, beside a schema too
sqsStepHandler('charge', chargeCard, { input: zodCharge, concurency: 5 });
// @ts-expect-error schemas of several steps stand beside their functions
sqsStepHandler({ charge: chargeCard }, { input: zodCharge });
// @ts-expect-error a schema is needed
sqsStepHandler('charge', chargeCard, { input: { parse: () => 1 } });
// @ts-expect-error a function is needed
sqsStepHandler('charge', { run: chargeCard });

// --- deadline, payloads

sqsStepHandler('charge', chargeCard, { deadlineReserveMs: 500, onDeadline: 'redeliver' });
// @ts-expect-error one of two words
sqsStepHandler('charge', chargeCard, { onDeadline: 'retry' });
// @ts-expect-error a store is needed
sqsStepHandler('charge', chargeCard, { payloadStore: { put: () => undefined } });

// --- dead letters

const deadLetters = sqsDeadLetterHandler();
expectTypeOf(deadLetters).toEqualTypeOf<SqsDeadLetterHandler>();
expectTypeOf(deadLetters).toExtend<SQSHandler>();
expectTypeOf(deadLetters.use(injectLambdaContext(new Powertools()))).toEqualTypeOf<SqsDeadLetterHandler>();
const common: DeadLetterHandlerOptions = { prefix: 'shop', concurrency: 3 };
sqsDeadLetterHandler(common);
sqsStepHandler('charge', chargeCard, common);
// @ts-expect-error there is no step
sqsDeadLetterHandler({ around: () => undefined });

// --- the handler

const handler = sqsStepHandler('charge', chargeCard);
expectTypeOf(handler).toExtend<(event: SQSEvent, context: Context) => Promise<SQSBatchResponse>>();
expectTypeOf(handler).toExtend<SQSHandler>();
expectTypeOf<Parameters<typeof handler>>().toEqualTypeOf<[event: SQSEvent, context: Context]>();
expectTypeOf(handler.use(injectLambdaContext(new Powertools()))).toEqualTypeOf<SqsStepHandler>();
handler.use([injectLambdaContext(new Powertools(), { logEvent: false }), { onError: () => undefined }]);
handler
  .before((request) => {
    expectTypeOf(request.event).toEqualTypeOf<SQSEvent>();
    expectTypeOf(request.context).toEqualTypeOf<Context>();
  })
  .after(async () => undefined)
  .onError(({ error }) => {
    expectTypeOf(error).toEqualTypeOf<Error | null | undefined>();
  });
// @ts-expect-error not a middleware
handler.use(() => undefined);

expectTypeOf(runStep(handler, { orderId: 'o', amountCents: 1 })).toEqualTypeOf<Promise<StepResult>>();

// What the environment may not hold, under `exactOptionalPropertyTypes`.
const fromEnvironment = process.env['DURABLE_PREFIX'];
sqsStepHandler('step', () => null, { prefix: fromEnvironment, namespace: fromEnvironment, resultsQueueUrl: fromEnvironment });
