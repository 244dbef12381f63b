#include "Primitives.h"
