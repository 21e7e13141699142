import {
  containerDollarsPerMonth,
  IDLE_MAPPING_POLLS_PER_MONTH,
  IDLE_POLLS_PER_MONTH,
  lambdaDollarsPerMillion,
  PRICES,
  sqsDollarsPerMillion,
} from '../prices.ts';
import { figure } from '../report/format.ts';
import type { Section } from './section.ts';

const MEMORY_MB = 256;
/** What the published worker is taken to run in: Fargate's smallest task. */
const CONTAINER = { vcpu: 0.25, gb: 0.5 };

const LOADS = [
  ['busy', 'runs at once'],
  ['oneByOne', 'one run after another'],
  ['slow', 'steps of 50 ms'],
] as const;

const COLD_STARTS = [
  ['ours', 'durable-sqs-lambda'],
  ['aws-sdk', 'by hand on the AWS SDK'],
  ['powertools', 'Powertools batch and the AWS SDK'],
] as const;

/** Dollars, reckoned from what sections 1 and 4 counted; measures nothing itself. */
export const cost: Section = {
  id: 6,
  title: 'Cost',
  needs: [1, 4],
  steps: () => 0,
  async run({ facts }) {
    const of = (name: string): number => facts[name] ?? Number.NaN;
    const dollars = (amount: number) => `$${amount.toFixed(2)}`;
    const ours = (load: string) => ({
      sqs: sqsDollarsPerMillion(of(`${load}.requestsPerStep.ours`)),
      lambda: lambdaDollarsPerMillion({
        millisecondsPerStep: of(`${load}.lambdaMsPerStep.ours`),
        invocationsPerStep: of(`${load}.invocationsPerStep.ours`),
        memoryMb: MEMORY_MB,
      }),
    });
    const container = containerDollarsPerMonth(CONTAINER.vcpu, CONTAINER.gb);
    const poll = IDLE_POLLS_PER_MONTH * PRICES.sqsRequest;
    const mapping = IDLE_MAPPING_POLLS_PER_MONTH * PRICES.sqsRequest;

    return {
      method: [
        `Prices of ${PRICES.region}, ${PRICES.date}, in \`bench/prices.ts\` and nowhere else: SQS $${figure(PRICES.sqsRequest * 1e6)} a million requests, Lambda on arm64 ` +
          `$${PRICES.lambdaGbSecond} a GB-second and $${figure(PRICES.lambdaRequest * 1e6)} a million requests. No free tier, no data transfer, no engine.`,
        `Requests and invocations are those that section 1 counted, Lambda time is what its invocations took, with ${MEMORY_MB} MB: on this machine’s processor, and with an SQS that is near.`,
        `The published worker is no Lambda function: it runs in a container all month, here Fargate’s smallest (${CONTAINER.vcpu} vCPU, ${CONTAINER.gb} GB, ARM). One such worker is taken for any load.`,
        'An idle mapping keeps five long polls of 20 s open, an idle poller one.',
      ],
      tables: [
        {
          title: 'dollars per million steps',
          columns: ['', 'ours: SQS', 'ours: Lambda', 'ours: together', 'published: SQS, its container apart'],
          rows: LOADS.map(([load, label]) => {
            const { sqs, lambda } = ours(load);
            const published = sqsDollarsPerMillion(of(`${load}.requestsPerStep.published`));
            return [label, dollars(sqs), dollars(lambda), dollars(sqs + lambda), dollars(published)];
          }),
        },
        {
          title: 'dollars a month when nothing happens, one step',
          columns: ['', 'worker', 'polls of tasks', 'polls of results', 'together'],
          rows: [
            ['ours', dollars(0), dollars(mapping), dollars(poll), dollars(mapping + poll)],
            ['published', dollars(container), dollars(poll), dollars(poll), dollars(container + 2 * poll)],
          ],
        },
        {
          title: 'dollars per million cold starts, first result included',
          columns: ['', 'ms', 'dollars'],
          rows: COLD_STARTS.map(([name, label]) => {
            const millisecondsPerStep = of(`coldStartMs.${name}`);
            const amount = lambdaDollarsPerMillion({ millisecondsPerStep, invocationsPerStep: 1, memoryMb: MEMORY_MB });
            return [label, figure(millisecondsPerStep), dollars(amount)];
          }),
        },
      ],
      charts: [],
      checks: [],
      facts: {},
    };
  },
};
