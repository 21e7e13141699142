import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { failureOf, type StepResult } from '../../../../src/wire/step-result.ts';
import { EngineInstance } from '../../../support/engine-instances.ts';

const STEP = { runId: 'run', seq: 0, stepId: 'run:0' };

/** A step of two attempts whose first has failed, so that its second one is out. */
async function secondAttempt() {
  const store = new InMemoryStateStore();
  const instance = new EngineInstance(store, 'one');
  instance.engine.register('w', '1', (ctx) => ctx.step('flaky', 1, { retries: 2 }));
  await instance.engine.start('w', {}, 'run');
  const fails = (attempt: number | undefined) => {
    const failure: StepResult = { ...STEP, status: 'failed', error: { message: 'busy', retryable: true } };
    return instance.answer(STEP, { output: undefined, ...failureOf(attempt, failure) });
  };
  await until(() => instance.tasks.length === 1);
  await fails(1);
  await until(async () => {
    await instance.engine.resumeDueTimers();
    return instance.tasks.length === 2;
  });
  const ends = async () => {
    await until(async () => (await store.getRun('run'))?.status !== 'suspended');
    return store.getRun('run');
  };
  return { instance, fails, ends };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('the failure of a first attempt, while the second is out', () => {
  it('leaves the second attempt to complete the step', async () => {
    const { instance, fails, ends } = await secondAttempt();
    await fails(1);
    await instance.answer(STEP, { output: 'second' });
    expect(await ends()).toMatchObject({ status: 'completed', output: 'second' });
    expect(instance.tasks.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('counts where its worker does not say which attempt it was: the engine takes it for that of the second', async () => {
    const { fails, ends } = await secondAttempt();
    await fails(undefined);
    expect(await ends()).toMatchObject({ status: 'failed', error: { message: 'busy' } });
  });
});

describe('the failure of the attempt that is out', () => {
  it('counts', async () => {
    const { fails, ends } = await secondAttempt();
    await fails(2);
    expect(await ends()).toMatchObject({ status: 'failed', error: { message: 'busy' } });
  });
});
