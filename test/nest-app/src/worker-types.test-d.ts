import { sqsStepHandler } from 'durable-sqs-lambda/worker';

// Compiled, never run: what a CommonJS worker sees of the package has types. middy, whose own can only be imported by
// ES modules, is not among what it imports; were something missing, this would be `any` in silence wherever
// `skipLibCheck` is on.
type IsAny<T> = 0 extends 1 & T ? true : false;
const typed = <T>(_value: IsAny<T> extends true ? never : T) => undefined;

const handler = sqsStepHandler('charge', (input: { readonly orderId: string }, step) => {
  typed<typeof step>(step);
  typed<typeof step.lambda>(step.lambda);
  typed<typeof step.task>(step.task);
  return input.orderId;
});
typed<typeof handler>(handler);
typed<Parameters<typeof handler>[0]>({ Records: [] });
handler.use({
  before: (request) => {
    typed<typeof request>(request);
    typed<typeof request.event>(request.event);
    typed<typeof request.context>(request.context);
  },
});
// @ts-expect-error not a middleware
handler.use(() => undefined);
