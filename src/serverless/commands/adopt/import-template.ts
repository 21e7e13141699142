import type { ResourceToImport } from '@aws-sdk/client-cloudformation';
import type { PlannedQueue } from '../../../topology/planned-queues.ts';
import type { DurableDeployment } from '../../deployment.ts';
import type { Template, TemplateResource } from '../../framework.ts';
import { RETAINED } from '../../resources/cloudformation.ts';
import { keyResources } from '../../resources/encryption.ts';
import { KMS_KEY, queueLogicalId } from '../../resources/logical-ids.ts';

/** A queue that exists although no stack has it. */
export interface KeptQueue {
  readonly queue: PlannedQueue;
  readonly url: string;
  /** ARN of the KMS key that it is encrypted with. */
  readonly keyArn: string | undefined;
}

export interface Import {
  readonly template: Template;
  readonly resources: readonly ResourceToImport[];
}

/**
 * What CloudFormation is told to take over: of each queue only what can never change. The deployment after it brings
 * the rest in line.
 * @param deployed what the stack holds already
 */
export function importOf(kept: readonly KeptQueue[], deployment: DurableDeployment, deployed: Template | undefined): Import {
  const queues = kept.map(({ queue, url }): Imported => {
    const { name, fifo } = queue;
    const properties = { QueueName: name, ...(fifo ? { FifoQueue: true } : {}) };
    return imported(queueLogicalId(queue), { Type: 'AWS::SQS::Queue', Properties: properties }, { QueueUrl: url });
  });
  const all = [...queues, ...keyImport(kept, deployment, deployed)];
  const resources = Object.fromEntries(all.map(({ id, resource }) => [id, resource]));
  return {
    template: {
      AWSTemplateFormatVersion: '2010-09-09',
      ...deployed,
      Resources: { ...deployed?.Resources, ...resources },
    },
    resources: all.map(({ toImport }) => toImport),
  };
}

interface Imported {
  readonly id: string;
  readonly resource: TemplateResource;
  readonly toImport: ResourceToImport;
}

/** The key of the service, which is kept with its queues: without it their messages cannot be read. */
function keyImport(kept: readonly KeptQueue[], deployment: DurableDeployment, deployed: Template | undefined): Imported[] {
  const key = keyResources(deployment)[KMS_KEY];
  const arn = kept.find(({ keyArn }) => keyArn !== undefined)?.keyArn;
  if (key === undefined || arn === undefined || deployed?.Resources[KMS_KEY] !== undefined) return [];
  return [imported(KMS_KEY, { Type: key.Type, Properties: { ...key.Properties } }, { KeyId: arn.slice(arn.lastIndexOf('/') + 1) })];
}

function imported(id: string, resource: TemplateResource, identifier: Record<string, string>): Imported {
  return {
    id,
    resource: { ...resource, ...RETAINED },
    toImport: { ResourceType: resource.Type, LogicalResourceId: id, ResourceIdentifier: identifier },
  };
}
