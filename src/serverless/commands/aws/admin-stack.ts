import { randomUUID } from 'node:crypto';
import type { ResourceToImport } from '@aws-sdk/client-cloudformation';
import { isRecord } from '../../../wire/shape.ts';
import type { Template } from '../../framework.ts';
import { CommandError } from '../command-error.ts';
import { loadSdk } from './load-sdk.ts';
import { refusalOf } from './requests.ts';
import { type TemplateSettings, templateSource } from './template-source.ts';

/** How long an import may take: it only records what is there. */
const IMPORT_SECONDS = 300;

/**
 * The CloudFormation calls about the one stack of a service. A request that fails rejects with {@link CommandError}.
 */
export interface AdminStack {
  /** The template of the last deployment; undefined where there is no stack. */
  template(): Promise<Template | undefined>;
  /** Outputs by key; none where there is no stack. */
  outputs(): Promise<Readonly<Record<string, string>>>;
  /**
   * Takes resources into the stack that exist already; makes the stack where there is none.
   * @param template all that the stack is to hold: what it holds already, and the resources to import
   */
  importResources(template: Template, resources: readonly ResourceToImport[]): Promise<void>;
  destroy(): void;
}

export interface StackSettings extends TemplateSettings {
  readonly endpoint?: string;
}

type CloudFormationSdk = typeof import('@aws-sdk/client-cloudformation');

export function loadCloudFormationSdk(serviceDir: string, toolFile: string | undefined): CloudFormationSdk | undefined {
  return loadSdk<CloudFormationSdk>((require) => require('@aws-sdk/client-cloudformation'), serviceDir, toolFile);
}

/** {@link AdminStack} on the AWS SDK. */
export function sdkAdminStack(sdk: CloudFormationSdk, s3: Parameters<typeof templateSource>[2], settings: StackSettings): AdminStack {
  const { stackName: StackName, ...clientSettings } = settings;
  const client = new sdk.CloudFormationClient(clientSettings);
  const request = async <T>(operation: string, send: () => Promise<T>): Promise<T> => {
    try {
      return await send();
    } catch (error) {
      throw new CommandError(`CloudFormation ${operation} of stack ${StackName} failed: ${refusalOf(error)}`);
    }
  };

  const stack = async () => {
    const command = new sdk.DescribeStacksCommand({ StackName });
    const answer = await request('DescribeStacks', () => client.send(command).catch(undefinedWhereMissing));
    return answer?.Stacks?.find(({ StackStatus }) => StackStatus !== 'DELETE_COMPLETE');
  };

  return {
    async template() {
      // Asked for the template alone, CloudFormation may give that of a stack that was deleted.
      if ((await stack()) === undefined) return undefined;
      const command = new sdk.GetTemplateCommand({ StackName, TemplateStage: 'Original' });
      const answer = await request('GetTemplate', () => client.send(command).catch(undefinedWhereMissing));
      return answer?.TemplateBody === undefined ? undefined : templateIn(answer.TemplateBody, StackName);
    },

    async outputs() {
      const outputs = (await stack())?.Outputs ?? [];
      return Object.fromEntries(outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]));
    },

    async importResources(template, resources) {
      const ChangeSetName = `durable-adopt-${randomUUID()}`;
      const bucket = (await stack())?.Outputs?.find(({ OutputKey }) => OutputKey === 'ServerlessDeploymentBucketName')?.OutputValue;
      const source = await templateSource(template, bucket, s3, settings);
      const waiting = { client, maxWaitTime: IMPORT_SECONDS, minDelay: 1, maxDelay: 5 };
      await request('CreateChangeSet', async () => {
        await client.send(
          new sdk.CreateChangeSetCommand({
            StackName,
            ChangeSetName,
            ChangeSetType: 'IMPORT',
            ...source,
            ResourcesToImport: [...resources],
            Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
          }),
        );
        await sdk.waitUntilChangeSetCreateComplete(waiting, { StackName, ChangeSetName });
      });
      await request('ExecuteChangeSet', async () => {
        await client.send(new sdk.ExecuteChangeSetCommand({ StackName, ChangeSetName }));
        await sdk.waitUntilStackImportComplete(waiting, { StackName });
      });
    },

    destroy: () => client.destroy(),
  };
}

/** CloudFormation has no code of its own for a stack that does not exist. */
function undefinedWhereMissing(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ValidationError' && error.message.includes('does not exist')) return undefined;
  throw error;
}

function templateIn(body: string, stackName: string): Template {
  let template: unknown;
  try {
    template = JSON.parse(body);
  } catch (cause) {
    throw new CommandError(`stack ${stackName}: expected a template in JSON, as the deploy tool writes it, got something else`, { cause });
  }
  const resources = isRecord(template) ? template['Resources'] : undefined;
  if (!isRecord(template) || !isRecord(resources)) throw new CommandError(`stack ${stackName}: expected a template with Resources`);
  const known = Object.entries(resources).flatMap(([id, resource]): [string, Template['Resources'][string]][] =>
    isRecord(resource) && typeof resource['Type'] === 'string' ? [[id, { ...resource, Type: resource['Type'] }]] : [],
  );
  return { ...template, Resources: Object.fromEntries(known) };
}
