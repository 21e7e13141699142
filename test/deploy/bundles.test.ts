import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { unzip } from '../../src/serverless/bundles/zip.ts';
import { makeService } from './commands/local-service.ts';
import { packaged, sls } from './sls.ts';

const COMMON_JS = "const { EventEmitter } = require('events');\nexports.kind = typeof EventEmitter + typeof __dirname;\n";
const HANDLER = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { kind } from 'commonjs-package';
export const handler = sqsStepHandler('pay', async () => kind);
`;
const README = 'minify: true, format: esm, outputFileExtension: .mjs, mainFields: [module, main], exclude: ["@aws-sdk/*"]';

let dir = '';
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A service of one step whose handler needs a CommonJS package. */
function service(esbuild: string, files: Readonly<Record<string, string>> = {}, durable = ''): string {
  const made = makeService('bundles', {
    'serverless.yml': `service: bundles-test
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom:
  durable: { prefix: bundles, ${durable} }
  esbuild: { ${esbuild} }
package: { individually: true }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x }
functions:
  pay: { handler: handlers/pay.handler, environment: { TABLE: { Ref: Orders } }, events: [{ durableStep: pay }] }
`,
    'node_modules/commonjs-package/package.json': '{"name":"commonjs-package","version":"1.0.0","main":"index.js"}',
    'node_modules/commonjs-package/index.js': COMMON_JS,
    'handlers/pay.ts': HANDLER,
    ...files,
  });
  dir = made.dir;
  return dir;
}

/** The bundle in the archive of the service. */
function bundle(file = 'handlers/pay.mjs'): string {
  const folder = join(dir, 'unpacked');
  unzip(join(dir, '.serverless/pay.zip'), folder);
  return readFileSync(join(folder, file), 'utf8');
}

describe('sls package of a handler with a CommonJS package', () => {
  it("makes a bundle that loads, with the README's settings and a banner", async () => {
    const run = await packaged(service(`${README}, banner: { js: "// ours" }`));
    expect(run).toMatchObject({ code: 0 });
    expect(bundle()).toMatch(/^import \{ createRequire as __durableRequire \}[^\n]*\n\/\/ ours\n/);
    expect(bundle().match(/__durableRequire\(import/g)).toHaveLength(1);
  });

  it('makes a bundle that loads, with settings of a file', async () => {
    const config = "module.exports = () => ({ format: 'esm', outputFileExtension: '.mjs', exclude: ['@aws-sdk/*'] });\n";
    const run = await packaged(service('config: esbuild.config.cjs', { 'esbuild.config.cjs': config }));
    expect(run).toMatchObject({ code: 0 });
    expect(bundle()).toContain('__durableRequire');
  });

  it('makes a bundle that loads, with plugins of the user', async () => {
    const plugins = `module.exports = [{
  name: 'mine',
  setup(build) { build.onLoad({ filter: /commonjs-package/ }, () => ({ contents: 'exports.kind = typeof require("events") + "mine";' })); },
}];\n`;
    const run = await packaged(service(`${README}, plugins: plugins.cjs`, { 'plugins.cjs': plugins }));
    expect(run).toMatchObject({ code: 0 });
    expect(bundle()).toMatch(/__durableRequire[\s\S]*mine/);
  });

  it('makes a CommonJS bundle that loads, of plain JavaScript', async () => {
    const text =
      "const { sqsStepHandler } = require('durable-sqs-lambda/worker');\nconst { kind } = require('commonjs-package');\nexports.handler = sqsStepHandler('pay', async () => kind);\n";
    const made = service('format: cjs, exclude: ["@aws-sdk/*"]', { 'handlers/pay.js': text });
    rmSync(join(made, 'handlers/pay.ts'));
    expect(await packaged(made)).toMatchObject({ code: 0 });
    expect(bundle('handlers/pay.js')).not.toContain('__durableRequire');
  });
});

describe('sls package of a handler that does not load', () => {
  const missing = {
    'handlers/pay.ts': HANDLER.replace(
      'async () => kind',
      'async () => kind)\nif (!process.env.NOWHERE) throw new Error("no database here"',
    ),
  };

  it('refuses the bundle with the function, what threw, where, and what to do', async () => {
    const run = await packaged(service(`${README}, sourcemap: true`, missing));
    expect(run.code).toBe(1);
    const output = run.stdout + run.stderr;
    expect(output).toContain('functions.pay does not load as Lambda loads it:');
    expect(output).toMatch(/Error: no database here\n\s+"? ?\+? ?"?\s*at .*handlers\/pay\.ts:4:/);
    expect(output).toContain('custom.durable.loadCheck: false turns this check off');
  });

  it('names a package that is external and not in the archive', async () => {
    const run = await packaged(service(`${README}, external: [commonjs-package], packagerOptions: { noInstall: true }`));
    expect(run.code).toBe(1);
    expect(run.stdout + run.stderr).toContain('"commonjs-package" is neither in the bundle nor in the archive: install it');
  });

  it('packages the bundle with loadCheck: false', async () => {
    expect(await packaged(service(README, missing, 'loadCheck: false'))).toMatchObject({ code: 0 });
  });

  it('refuses the bundle under deploy function, too', async () => {
    // All that the command asks of AWS before it packages: whether the function is there.
    const aws = createServer((_request, response) =>
      response.end('{"Configuration":{"Runtime":"nodejs24.x","PackageType":"Zip"},"Code":{}}'),
    );
    aws.listen(0, '127.0.0.1');
    await once(aws, 'listening');
    const address = aws.address();
    try {
      const endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
      const credentials = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL: endpoint };
      const run = await sls(service(README, missing), ['deploy', 'function', '-f', 'pay'], credentials);
      expect(run.code).toBe(1);
      expect(run.stdout + run.stderr).toContain('functions.pay does not load as Lambda loads it:');
    } finally {
      aws.close();
    }
  });
});
