import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { stepLogicalId } from '../../src/serverless/resources/logical-ids.ts';
import { findingsIn, mappingOf, packaged, type Run, root, templateOf } from './sls.ts';

const folder = join(root, 'examples/workflow');

describe('the service of examples/workflow', () => {
  let run: Run;

  beforeAll(async () => {
    run = await packaged(folder);
  });

  it('its code compiles', () => {
    expect(spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' }).stdout).toBe('');
  });

  it('sls package makes a template in which the validator of CloudFormation finds nothing', () => {
    expect(run).toMatchObject({ code: 0 });
    expect(findingsIn(folder)).toEqual([]);
  });

  it('the function of the workflow is mapped to its tasks queue', () => {
    expect(mappingOf(templateOf(folder), stepLogicalId('checkout', 'TasksQueue')).Properties).toMatchObject({
      FunctionName: { 'Fn::GetAtt': ['CheckoutLambdaFunction', 'Arn'] },
    });
  });
});
