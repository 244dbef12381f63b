// As it is: built of primitives alone.
#include "../../../kernels/cuda/slices.h"
