import { DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { UpdateAssumeRolePolicyCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { required } from '../account.ts';
import type { AwsAddress, Credentials } from '../server/aws-server.ts';
import type { Clients } from '../server/clients.ts';

/** Names of the roles that a stack has made, by logical id. */
export async function rolesOf({ cloudFormation }: Clients, stackName: string): Promise<ReadonlyMap<string, string>> {
  const { StackResources = [] } = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName: stackName }));
  return new Map(
    StackResources.filter(({ ResourceType }) => ResourceType === 'AWS::IAM::Role').map(({ LogicalResourceId, PhysicalResourceId }) => [
      required(LogicalResourceId, 'a logical id'),
      required(PhysicalResourceId, 'the name of a role'),
    ]),
  );
}

/** A session of a role. Functions alone may assume it, so the account is let in first. */
export async function sessionOf({ iam, sts }: Clients, { accountId }: AwsAddress, roleName: string): Promise<Credentials> {
  const principals = { Service: 'lambda.amazonaws.com', AWS: `arn:aws:iam::${accountId}:root` };
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: principals, Action: 'sts:AssumeRole' }],
  });
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: roleName, PolicyDocument }));
  const { Credentials: session } = await sts.send(
    new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${accountId}:role/${roleName}`, RoleSessionName: 'test' }),
  );
  return {
    accessKeyId: required(session?.AccessKeyId, 'an access key'),
    secretAccessKey: required(session?.SecretAccessKey, 'a secret key'),
    sessionToken: required(session?.SessionToken, 'a session token'),
  };
}
