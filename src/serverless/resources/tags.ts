import { entriesOf } from '../config/section.ts';
import { isValue, type Resources, type Value } from './cloudformation.ts';

/**
 * The types of ours that can have tags. Not roles: as on the deploy tool's own role, these are the tags of
 * `provider.iam.role`.
 */
const TAGGED: ReadonlySet<string> = new Set(['AWS::CloudWatch::Alarm', 'AWS::KMS::Key', 'AWS::S3::Bucket', 'AWS::SQS::Queue']);

/** Values by key. */
export type Tags = Readonly<Record<string, Value>>;

/**
 * The tags of a service: `provider.tags`, which the deploy tool puts on the functions, over `provider.stackTags`, which
 * it puts on the stack and CloudFormation on every resource that has no such tag.
 */
export function readTags(provider: unknown): Tags {
  const { stackTags, tags } = entriesOf(provider);
  const all = Object.entries({ ...entriesOf(stackTags), ...entriesOf(tags) });
  return Object.fromEntries(all.flatMap(([key, value]) => (isValue(value) ? [[key, value]] : [])));
}

export function tagged(resources: Resources, tags: Tags): Resources {
  const list = Object.entries(tags).map(([Key, tag]) => ({ Key, Value: tag }));
  if (list.length === 0) return resources;
  return Object.fromEntries(
    Object.entries(resources).map(([id, resource]) => [
      id,
      TAGGED.has(resource.Type) ? { ...resource, Properties: { ...resource.Properties, Tags: list } } : resource,
    ]),
  );
}
