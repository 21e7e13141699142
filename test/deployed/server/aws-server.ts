import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from './certificate.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const PYTHON = join(root, '.ministack/bin/python');
const PROGRAM = fileURLToPath(new URL('strict_ministack.py', import.meta.url));
/** First on the path of the functions, so that they run on the Node that Lambda has. */
const NODE_FOLDER = join(root, 'node_modules/node/bin');
const START_MS = 60_000;
const STOP_MS = 5_000;

/** How to reach the AWS of a run. Plain data, so that it can be handed to other processes. */
export interface AwsAddress {
  readonly endpoint: string;
  /** The same services without TLS: to see them refused. */
  readonly plainEndpoint: string;
  readonly region: string;
  readonly accountId: string;
  /** What clients must trust. */
  readonly certificateFile: string;
  readonly logFile: string;
  /** Who has called what, as JSON lines: see strict_rights.py. */
  readonly callsFile: string;
}

/** Whom a request is from. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The account's root, which may do anything: the deploy tool runs as it. */
export const ROOT: Credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

export interface AwsServer {
  readonly address: AwsAddress;
  stop(options?: { readonly keepLog: boolean }): Promise<void>;
}

/** Starts an AWS on 127.0.0.1 that checks signatures and enforces IAM. Everything that it starts ends with it. */
export async function startAwsServer(): Promise<AwsServer> {
  if (!existsSync(PYTHON)) throw new Error('ministack is not installed: run .ci/install-ministack');
  const folder = mkdtempSync(join(tmpdir(), 'durable-deployed-'));
  const { certificateFile, keyFile } = makeCertificate(folder);
  const [port, plainPort] = [await freePort(), await freePort()];
  const logs = join(root, 'reports/deployed');
  mkdirSync(logs, { recursive: true });
  const address: AwsAddress = {
    endpoint: `https://127.0.0.1:${port}`,
    plainEndpoint: `http://127.0.0.1:${plainPort}`,
    region: 'eu-central-1',
    accountId: '000000000000',
    certificateFile,
    logFile: join(logs, `ministack-${process.pid}.log`),
    callsFile: join(folder, 'calls.jsonl'),
  };
  layRuntimeModules(folder);
  const log = openSync(address.logFile, 'w');
  const child = spawn(PYTHON, [PROGRAM], {
    // The functions inherit this environment, and nothing of whoever runs the tests.
    env: {
      PATH: [NODE_FOLDER, process.env['PATH']].join(':'),
      HOME: folder,
      TMPDIR: folder,
      // Its second file would leave a folder beside it.
      PYTHONDONTWRITEBYTECODE: '1',
      AUTH: 'true',
      BIND_HOST: '127.0.0.1',
      MINISTACK_HOST: '127.0.0.1',
      MINISTACK_REGION: address.region,
      GATEWAY_PORT: String(port),
      PLAIN_HTTP_PORT: String(plainPort),
      CALLS_FILE: address.callsFile,
      USE_SSL: '1',
      MINISTACK_SSL_CERT: certificateFile,
      MINISTACK_SSL_KEY: keyFile,
      NODE_EXTRA_CA_CERTS: certificateFile,
      AWS_ACCESS_KEY_ID: ROOT.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ROOT.secretAccessKey,
    },
    // It ends when its stdin is closed, so it does not outlive this process.
    stdio: ['pipe', log, log],
    // A group of its own, so that the functions end with it.
    detached: true,
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group is gone already.
    }
  };
  const stop = async ({ keepLog } = { keepLog: true }) => {
    signal('SIGTERM');
    await Promise.race([exited, pause(STOP_MS)]);
    signal('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
    if (!keepLog) rmSync(address.logFile, { force: true });
    else process.stderr.write(`the log of the AWS server is kept: ${address.logFile}\n`);
  };
  const deadline = Date.now() + START_MS;
  while (!(await answers(port))) {
    if (ended || Date.now() > deadline) {
      await stop();
      throw new Error(`ministack did not start:\n${readFileSync(address.logFile, 'utf8').slice(-4_000)}`);
    }
    await pause(100);
  }
  return { address, stop };
}

/**
 * Lambda's runtime holds the AWS SDK: bundles leave it out. Functions run in folders below this one, and find it as
 * Node does.
 */
function layRuntimeModules(folder: string): void {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(root, 'node_modules/@aws-sdk'), join(folder, 'node_modules/@aws-sdk'));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no free port'))));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).once('error', () => resolve(false));
  });
}
