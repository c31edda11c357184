
/*
 * Copyright (C) the aiobs authors
 *
 * Undoes aiobs_lanes_sse2.h, aiobs_lanes_avx2.h.
 */


#undef AIOBS_TARGET
#undef AIOBS_VECTOR
#undef AIOBS_LOAD
#undef AIOBS_STORE
#undef AIOBS_SET
#undef AIOBS_EQ
#undef AIOBS_MAX
#undef AIOBS_SUB
#undef AIOBS_OR
#undef AIOBS_AND
#undef AIOBS_XOR
#undef AIOBS_BITS
#undef AIOBS_NONE
