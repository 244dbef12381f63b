# Lit suite of the compiler: every .mlir and .test file below this folder. Programs come from the
# build folder named by the parameter `bin`, FileCheck and friends from LLVM's.
import os
import subprocess
import lit.formats

config.name = "quire"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
build_bin = lit_config.params["bin"]
config.test_exec_root = os.path.join(os.path.dirname(build_bin), "lit")
llvm_bin = lit_config.params.get("llvm_bin", "/usr/lib/llvm-22/bin")
config.environment["PATH"] = os.pathsep.join([build_bin, llvm_bin, os.environ["PATH"]])
config.environment["FILECHECK_OPTS"] = (
    "--enable-var-scope --allow-unused-prefixes=false --dump-input-filter=error")
repository = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
config.substitutions.append(("%models", os.path.join(repository, "models")))
config.substitutions.append(("%golden", os.path.join(repository, "tests", "golden", "models")))
# Tests that compile for a GPU: `REQUIRES: nvrtc`.
compiler = os.path.join(build_bin, "quire-compile")
if os.path.exists(compiler):
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    if any(line.startswith("NVRTC ") and line[6].isdigit() for line in version.splitlines()):
        config.available_features.add("nvrtc")
for name in ("QUIRE_NVRTC", "CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV", "HOME", "XDG_CACHE_HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
