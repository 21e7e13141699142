import { sqsStepHandler } from '../../src/lambda/index.ts';
import { sqsWorkflowHandler } from '../../src/workflow/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { runIdOf } from './history.ts';
import type { ServeTasks } from './lambda-fleet.ts';
import { runStep, STEPS } from './steps.ts';
import { turnFunctions } from './turn-functions.ts';

/** All steps. */
export const serveSteps: ServeTasks = (channel, around) =>
  sqsStepHandler(Object.fromEntries(STEPS.map((step) => [step, runStep])), {
    ...channel,
    logger: silentLogger,
    around: ({ task: { stepId } }, next) => around((id) => id === stepId, next),
  });

/** All workflows whose turns run on Lambda. */
export const serveTurns: ServeTasks = (channel, around) => {
  const workflows = Object.entries(turnFunctions).map(([name, fn]): [string, { 1: typeof fn }] => [
    name,
    {
      1: (ctx, input) =>
        around(
          (id) => runIdOf(id) === ctx.runId,
          () => fn(ctx, input),
        ),
    },
  ]);
  return sqsWorkflowHandler(Object.fromEntries(workflows), { ...channel, logger: silentLogger });
};
