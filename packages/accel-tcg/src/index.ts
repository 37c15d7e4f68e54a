export {
  createTcg,
  type TcgHandle,
  type TcgOptions,
  type TcgVm,
  type TcgVmConfig,
  type Tier,
} from './tcg.ts';
