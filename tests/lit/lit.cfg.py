# Lit suite of the compiler: every .mlir and .test file below this folder. Programs come from the
# build folder named by the parameter `bin`, FileCheck and friends from LLVM's.
import os
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
