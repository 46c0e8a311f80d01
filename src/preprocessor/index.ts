export type { MessageHandle, Module, ModuleInfo, ModuleTask, ModuleVerdict, RoutedRecipient } from './module.ts';
export { createPreprocessor, type PreprocessorComponent, type PreprocessorNeeds } from './preprocessor.ts';
export {
  type LoopDetectionSettings,
  loopDetectionSettings,
  type MatrixCell,
  matrixSetting,
  moduleDeclarations,
  type PreprocessorSettings,
  preprocessorSettings,
  wholeMatrix,
} from './settings.ts';
