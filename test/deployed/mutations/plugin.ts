import { MUTATIONS, type MutableTemplate } from './mutations.ts';

interface Serverless {
  readonly service: { readonly provider: { readonly compiledCloudFormationTemplate: MutableTemplate } };
}

/**
 * Plugin of the deploy tool: puts the fault that DEPLOYED_MUTATION names into the template, behind everything that
 * checks it.
 */
// biome-ignore lint/style/noDefaultExport: the deploy tool reads the default export
export default class MutatingPlugin {
  readonly hooks: Readonly<Record<string, () => void>>;

  constructor({ service }: Serverless) {
    this.hooks = {
      'after:aws:package:finalize:mergeCustomProviderResources': () => {
        const template = service.provider.compiledCloudFormationTemplate;
        const before = JSON.stringify(template);
        MUTATIONS.find(({ name }) => name === process.env['DEPLOYED_MUTATION'])?.mutate(template);
        if (JSON.stringify(template) === before) throw new Error('expected the mutation to change the template');
      },
    };
  }
}
