/**
 * The prices that every dollar of the report comes from, in US dollars: us-east-1, on demand, without free tier, first
 * price tier.
 *
 * @see https://aws.amazon.com/sqs/pricing/ https://aws.amazon.com/lambda/pricing/
 * https://aws.amazon.com/fargate/pricing/
 */
export const PRICES = {
  /** The month in which they were looked up. */
  date: '2026-11',
  region: 'us-east-1',
  /** A standard queue's request, of 64 KiB at most. */
  sqsRequest: 0.4 / 1e6,
  /** A GB-second of Lambda on arm64; INIT is billed like the rest since August 2025. */
  lambdaGbSecond: 0.0000133334,
  lambdaRequest: 0.2 / 1e6,
  /** Fargate, Linux on ARM: what a worker that is no Lambda function runs in. */
  fargateVcpuHour: 0.03238,
  fargateGbHour: 0.00356,
} as const;

export const HOURS_PER_MONTH = 730;

/** Requests of 30 days of one long poll of 20 s after another. */
export const IDLE_POLLS_PER_MONTH = (30 * 24 * 3600) / 20;

/** An event source mapping keeps five long polls open. */
export const IDLE_MAPPING_POLLS_PER_MONTH = 5 * IDLE_POLLS_PER_MONTH;

/** What a million steps cost on SQS. */
export function sqsDollarsPerMillion(requestsPerStep: number): number {
  return requestsPerStep * 1e6 * PRICES.sqsRequest;
}

export interface LambdaUse {
  /** Time of the invocations, over the steps they ran. */
  readonly millisecondsPerStep: number;
  readonly invocationsPerStep: number;
  readonly memoryMb: number;
}

/** What a million steps cost on Lambda: time and requests. */
export function lambdaDollarsPerMillion({ millisecondsPerStep, invocationsPerStep, memoryMb }: LambdaUse): number {
  const gbSeconds = (millisecondsPerStep / 1000) * (memoryMb / 1024);
  return (gbSeconds * PRICES.lambdaGbSecond + invocationsPerStep * PRICES.lambdaRequest) * 1e6;
}

/** What it costs a month to have a container there, whatever it does. */
export function containerDollarsPerMonth(vcpu: number, gb: number): number {
  return HOURS_PER_MONTH * (vcpu * PRICES.fargateVcpuHour + gb * PRICES.fargateGbHour);
}
