/** The part of the deploy tool (osls 4 and serverless 3) that the plugin uses. */
export interface Framework {
  readonly service: FrameworkService;
  /** Absolute; serverless-esbuild moves it to its build folder while a function is invoked locally. */
  readonly serviceDir: string;
  readonly processedInput: { readonly commands: readonly string[]; readonly options: Readonly<Record<string, unknown>> };
  readonly configSchemaHandler: { defineFunctionEvent(provider: string, name: string, schema: object): void };
  /** An error that the tool prints without a stack. */
  readonly classes: { readonly Error: new (message: string, code: string) => Error };
  getProvider(name: 'aws'): { getStage(): string; getRegion(): string; readonly naming: { getStackName(): string } };
  /** Lines that the tool prints at the end of a deployment. */
  addServiceOutputSection?(title: string, lines: readonly string[]): void;
}

export interface FrameworkService {
  readonly [key: string]: unknown;
  readonly provider: FrameworkProvider;
  readonly functions: Readonly<Record<string, FrameworkFunction>>;
  readonly plugins?: unknown;
  readonly custom?: unknown;
}

export interface FrameworkProvider {
  readonly [key: string]: unknown;
  /** Set while a service is packaged. */
  readonly compiledCloudFormationTemplate?: Template;
}

export interface FrameworkFunction {
  [setting: string]: unknown;
  readonly name: string;
  readonly handler?: string;
  events: unknown[];
  environment?: Record<string, unknown>;
  role?: unknown;
}

/** The template that grows while a service is packaged. */
export interface Template {
  readonly AWSTemplateFormatVersion?: string;
  readonly Resources: Record<string, TemplateResource>;
  Outputs?: Record<string, object>;
}

export interface TemplateResource {
  readonly Type: string;
  DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly Properties?: Record<string, unknown>;
}
