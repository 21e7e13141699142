import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';

/** How an invocation ended, as Lambda's own service would see it. */
export type InvocationEnd =
  | { readonly kind: 'response'; readonly payload: unknown }
  | { readonly kind: 'error'; readonly error: RuntimeError }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'exit'; readonly exitCode: number | null };

/** What the runtime reports for an invocation or for the initialisation. */
export interface RuntimeError {
  readonly errorType?: string;
  readonly errorMessage?: string;
}

export interface InvokeOptions {
  /** @default 30,000 */
  readonly timeoutMs?: number;
  readonly traceId?: string;
}

export interface LambdaOptions {
  /** Folder with the bundle. */
  readonly taskRoot: string;
  /** `<file without extension>.<export>`. */
  readonly handler: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default 256, of which Lambda's runtime gives nine tenths to the old space */
  readonly memoryMb?: number;
  /** Path of the Node that runs it. @default that of this process */
  readonly node?: string;
  /** Further arguments to Node. */
  readonly nodeArgs?: readonly string[];
}

/** When what happened, in milliseconds since the process was spawned. */
export interface LambdaTimes {
  /** The runtime asked for its first invocation: the handler's module is loaded. */
  initialised?: number;
  /** It sent its first response. */
  responded?: number;
}

/**
 * AWS's own runtime loop for Node.js with one function in it, in a process of its own, and the Runtime API that it
 * talks to.
 */
export interface LambdaProcess {
  readonly child: ChildProcess;
  /** `performance.now()` at its spawn. */
  readonly spawnedAt: number;
  readonly times: LambdaTimes;
  /** Resolves when the runtime reports that it could not load the function. */
  readonly initError: Promise<RuntimeError>;
  /** Hands over one event. As Lambda does, kills the process when the time is up. */
  invoke(event: unknown, options?: InvokeOptions): Promise<InvocationEnd>;
  /** What the process wrote so far. */
  output(): string;
  stop(): Promise<void>;
}

interface Invocation {
  readonly id: string;
  readonly event: unknown;
  readonly timeoutMs: number;
  readonly traceId: string;
  readonly end: (end: InvocationEnd) => void;
}

const RUNTIME = fileURLToPath(new URL('../runtime/lambda-runtime/node_modules/aws-lambda-ric/index.mjs', import.meta.url));
const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:worker';
const API = '/2018-06-01/runtime/';

export async function startLambda(options: LambdaOptions): Promise<LambdaProcess> {
  const waiting: Invocation[] = [];
  const running = new Map<string, Invocation>();
  const times: LambdaTimes = {};
  const initError = Promise.withResolvers<RuntimeError>();
  let next: ServerResponse | undefined;
  let invocations = 0;
  let spawnedAt = 0;
  const sinceSpawn = () => performance.now() - spawnedAt;

  const server = createServer(async (request, response) => {
    const path = request.url?.replace(API, '') ?? '';
    if (path === 'invocation/next') {
      times.initialised ??= sinceSpawn();
      next = response;
      handOver();
      return;
    }
    const body: unknown = JSON.parse((await text(request)) || 'null');
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"OK"}');
    if (path === 'init/error') return initError.resolve(runtimeError(body));
    const [, id = '', what] = path.split('/');
    if (what === 'response') times.responded ??= sinceSpawn();
    end(id, what === 'response' ? { kind: 'response', payload: body } : { kind: 'error', error: runtimeError(body) });
  });
  // The runtime waits for its next invocation for as long as it takes.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  function handOver(): void {
    const invocation = next === undefined ? undefined : waiting.shift();
    if (next === undefined || invocation === undefined) return;
    const { id, event, timeoutMs, traceId } = invocation;
    running.set(id, invocation);
    const body = Buffer.from(JSON.stringify(event));
    next.writeHead(200, {
      'content-type': 'application/json',
      'content-length': body.length,
      'lambda-runtime-aws-request-id': id,
      'lambda-runtime-deadline-ms': Date.now() + timeoutMs,
      'lambda-runtime-invoked-function-arn': ARN,
      'lambda-runtime-trace-id': traceId,
    });
    next.end(body);
    next = undefined;
    setTimeout(() => {
      if (!running.has(id)) return;
      child.kill('SIGKILL');
      end(id, { kind: 'timeout' });
    }, timeoutMs).unref();
  }

  function end(id: string, how: InvocationEnd): void {
    running.get(id)?.end(how);
    running.delete(id);
  }

  const { memoryMb = 256, nodeArgs = [], node = process.execPath } = options;
  spawnedAt = performance.now();
  const child = spawn(node, [`--max-old-space-size=${Math.floor(memoryMb * 0.9)}`, ...nodeArgs, RUNTIME], {
    cwd: options.taskRoot,
    env: {
      PATH: process.env['PATH'],
      TZ: ':UTC',
      LANG: 'en_US.UTF-8',
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      AWS_LAMBDA_FUNCTION_NAME: 'worker',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/worker',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      LAMBDA_TASK_ROOT: options.taskRoot,
      _HANDLER: options.handler,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const exited = once(child, 'exit');
  child.once('exit', (exitCode) => {
    for (const id of [...running.keys()]) end(id, { kind: 'exit', exitCode });
    for (const invocation of waiting.splice(0)) invocation.end({ kind: 'exit', exitCode });
  });

  return {
    child,
    spawnedAt,
    times,
    initError: initError.promise,
    output: () => output,

    invoke(event, { timeoutMs = 30_000, traceId = 'Root=1-65a1b2c3-0123456789abcdef01234567;Sampled=0' } = {}) {
      invocations += 1;
      const id = `00000000-0000-4000-8000-${String(invocations).padStart(12, '0')}`;
      return new Promise((resolve) => {
        if (child.exitCode !== null) return resolve({ kind: 'exit', exitCode: child.exitCode });
        waiting.push({ id, event, timeoutMs, traceId, end: resolve });
        handOver();
      });
    },

    async stop() {
      // A stopped process takes this signal too.
      child.kill('SIGKILL');
      await exited;
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * Whether the runtime loop's native part is there. It is compiled, so the repository's `npm ci` leaves it out.
 * @throws Error that says how to build it
 */
export async function requireRuntime(): Promise<void> {
  const child = spawn(process.execPath, ['-e', `require(${JSON.stringify(RUNTIME.replace('index.mjs', 'rapid-client.node'))})`], {
    // It reads this where it is loaded.
    env: { AWS_LAMBDA_RUNTIME_API: '127.0.0.1:1' },
    stdio: 'ignore',
  });
  const [exitCode] = await once(child, 'exit');
  if (exitCode !== 0) throw new Error('aws-lambda-ric is not built: run .ci/build-runtime (needs cmake, g++ and make)');
}

function runtimeError(body: unknown): RuntimeError {
  const { errorType, errorMessage }: { errorType?: unknown; errorMessage?: unknown } =
    typeof body === 'object' && body !== null ? body : {};
  return {
    ...(typeof errorType === 'string' ? { errorType } : {}),
    ...(typeof errorMessage === 'string' ? { errorMessage } : {}),
  };
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
