import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Run, root, sls } from '../deploy/sls.ts';
import { type AwsAddress, type Credentials, ROOT } from './server/aws-server.ts';
import { awsEnvironment } from './server/environment.ts';

const DEPLOY_MS = 180_000;

/** A service in a folder of its own, which its tests may change and deploy as a user does. */
export interface Service {
  readonly folder: string;
  /** Runs the deploy tool; as the account's root, if nobody else is named. */
  sls(args: readonly string[], credentials?: Credentials): Promise<Run>;
  /** As `sls`, and fails where the tool does. */
  done(args: readonly string[], credentials?: Credentials): Promise<Run>;
  /** Replaces a text of serverless.yml that stands there exactly once. */
  edit(from: string, to: string): void;
  remove(): void;
}

/**
 * Lays out a service inside the repository, where handlers find this package by its name.
 * @param files from where to where: paths in the repository, and in the service
 */
export function layOut(aws: AwsAddress, name: string, files: Readonly<Record<string, string>>): Service {
  const folder = join(root, 'reports/deployed', `${name}-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of Object.entries(files)) cpSync(join(root, from), join(folder, to), { recursive: true });
  const yml = join(folder, 'serverless.yml');
  if (process.env['DEPLOYED_MUTATION'] !== undefined) mutate(folder, yml);
  const run = (args: readonly string[], credentials = ROOT) =>
    sls(
      folder,
      args,
      // The tool asks every five seconds how far a deployment is.
      { ...awsEnvironment(aws, credentials), SLS_AWS_MONITORING_FREQUENCY: '200', NODE_NO_WARNINGS: '1' },
      DEPLOY_MS,
    );
  return {
    folder,
    sls: run,
    done: async (args, credentials) => {
      const result = await run(args, credentials);
      if (result.code !== 0) {
        throw new Error(
          `sls ${args.join(' ')} exited with ${result.code}:\n${result.stdout.slice(-4_000)}\n${result.stderr.slice(-4_000)}`,
        );
      }
      return result;
    },
    edit: (from, to) => {
      const text = readFileSync(yml, 'utf8');
      if (text.split(from).length !== 2) throw new Error(`expected ${JSON.stringify(from)} once in ${yml}`);
      writeFileSync(
        yml,
        text.replace(from, () => to),
      );
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Lets the deploy tool put a fault into the template: see mutations/. Its plugins are files of the service. */
function mutate(folder: string, yml: string): void {
  writeFileSync(join(folder, 'mutate.ts'), "export { default } from '../../../test/deployed/mutations/plugin.ts';\n");
  const plugin = '  - durable-sqs-lambda/serverless-plugin\n';
  writeFileSync(yml, readFileSync(yml, 'utf8').replace(plugin, `${plugin}  - ./mutate.ts\n`));
}
