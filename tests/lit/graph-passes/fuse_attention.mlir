// RUN: quire-opt %s --quire-fuse-attention | FileCheck %s

!cache = !graph.cache<page = 32, element = bf16, window = 0, components =
    [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>

// The score region holds the mathematics, the mask region the condition of the select.
// CHECK-LABEL: func.func @causal_soft_cap
// CHECK-NOT: graph.scores
// CHECK: graph.attention %{{.*}}, %{{.*}} "k" "v" of %{{.*}} score {
// CHECK: ^bb0(%[[S:.+]]: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32):
// CHECK: %[[CAP:.+]] = arith.constant 3.000000e+01 : f32
// CHECK: %[[D:.+]] = arith.divf %[[S]], %[[CAP]] : f32
// CHECK: %[[T:.+]] = math.tanh %[[D]] : f32
// CHECK: %[[M:.+]] = arith.mulf %[[T]], %[[CAP]] : f32
// CHECK: graph.yield %[[M]] : f32
// CHECK: } mask {
// CHECK: ^bb0(%[[Q:.+]]: i32, %[[K:.+]]: i32, %{{.*}}: i32):
// CHECK: %[[SEEN:.+]] = arith.cmpi sle, %[[K]], %[[Q]] : i32
// CHECK: graph.yield %[[SEEN]] : i1
// CHECK-NOT: graph.{{softmax|mix|splat|position}}

func.func @causal_soft_cap(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %cap_ = arith.constant 30.0 : f32
  %cap = graph.splat %cap_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %d = arith.divf %s, %cap : tensor<?x4x?xf32>
  %t = math.tanh %d : tensor<?x4x?xf32>
  %m = arith.mulf %t, %cap : tensor<?x4x?xf32>
  %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
  %r = arith.select %seen, %m, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// Nested selects are a conjunction; the order of their values may be either.
// CHECK-LABEL: func.func @window
// CHECK: score {
// CHECK: graph.yield %{{.*}} : f32
// CHECK: mask {
// CHECK: ^bb0(%[[Q:.+]]: i32, %[[K:.+]]: i32, %{{.*}}: i32):
// CHECK-DAG: %[[DISTANCE:.+]] = arith.subi %[[Q]], %[[K]] : i32
// CHECK-DAG: %[[FAR:.+]] = arith.cmpi sgt, %[[DISTANCE]], %{{.*}} : i32
// CHECK-DAG: %[[NEAR:.+]] = arith.xori %[[FAR]], %{{.*}} : i1
// CHECK-DAG: %[[SEEN:.+]] = arith.cmpi sle, %[[K]], %[[Q]] : i32
// CHECK: %[[BOTH:.+]] = arith.andi %[[NEAR]], %[[SEEN]] : i1
// CHECK: graph.yield %[[BOTH]] : i1

func.func @window(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %far_ = arith.constant 8 : i32
  %far = graph.splat %far_ like %s : i32, tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
  %a = arith.select %seen, %s, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %distance = arith.subi %qp, %kp : tensor<?x4x?xi32>
  %out = arith.cmpi sgt, %distance, %far : tensor<?x4x?xi32>
  %r = arith.select %out, %inf, %a : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// An added mask of 0 and -inf is a mask; what is added after a mask, or multiplied by a positive
// constant, stays in the score region.
// CHECK-LABEL: func.func @added
// CHECK: score {
// CHECK: ^bb0(%[[S:.+]]: f32, %{{.*}}: i32, %[[K:.+]]: i32, %{{.*}}: i32):
// CHECK-NOT: arith.select
// CHECK: %[[M:.+]] = arith.mulf %[[S]], %{{.*}} : f32
// CHECK: arith.addf %[[M]], %{{.*}} : f32
// CHECK-NOT: arith.select
// CHECK: mask {
// CHECK: arith.cmpi sle

func.func @added(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %zero_ = arith.constant 0.0 : f32
  %zero = graph.splat %zero_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %two_ = arith.constant 2.0 : f32
  %two = graph.splat %two_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
  %bias = arith.select %seen, %zero, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %a = arith.addf %s, %bias : tensor<?x4x?xf32>
  %m = arith.mulf %a, %two : tensor<?x4x?xf32>
  %kf = arith.sitofp %kp : tensor<?x4x?xi32> to tensor<?x4x?xf32>
  %r = arith.addf %m, %kf : tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// A condition that reads the score cannot be a mask: it stays with the score, and so does every
// mask below it. The mask region then sees everything.
// CHECK-LABEL: func.func @reads_score
// CHECK: score {
// CHECK: %[[LOW:.+]] = arith.cmpf olt
// CHECK: arith.select %[[LOW]]
// CHECK: mask {
// CHECK: %[[ALL:.+]] = arith.constant true
// CHECK: graph.yield %[[ALL]] : i1

func.func @reads_score(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %zero_ = arith.constant 0.0 : f32
  %zero = graph.splat %zero_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %low = arith.cmpf olt, %s, %zero : tensor<?x4x?xf32>
  %r = arith.select %low, %inf, %s : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// A scalar that is no constant is captured by both regions; the sink becomes an operand.
// CHECK-LABEL: func.func @captures
// CHECK-SAME: %[[SCALE:[a-z0-9]+]]: f32, %[[SINK:[a-z0-9]+]]: tensor<4xbf16>)
// CHECK: graph.attention %{{.*}} sink %[[SINK]] : tensor<4xbf16> captures(%[[SCALE]] : f32) score {
// CHECK: ^bb0(%[[S:.+]]: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %[[C:.+]]: f32):
// CHECK: arith.mulf %[[S]], %[[C]] : f32
// CHECK: mask {
// CHECK: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: f32):

func.func @captures(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache, %scale: f32, %sink: tensor<4xbf16>) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %sc = graph.splat %scale like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %r = arith.mulf %s, %sc : tensor<?x4x?xf32>
  %p = graph.softmax %r sink %sink : tensor<?x4x?xf32> sink tensor<4xbf16> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// A score function that nobody has shipped: s * (1 + 0.1 cos(q - k)).
// CHECK-LABEL: func.func @odd
// CHECK: score {
// CHECK: ^bb0(%[[S:.+]]: f32, %[[Q:.+]]: i32, %[[K:.+]]: i32, %{{.*}}: i32):
// CHECK: %[[D:.+]] = arith.subi %[[Q]], %[[K]] : i32
// CHECK: %[[F:.+]] = arith.sitofp %[[D]] : i32 to f32
// CHECK: math.cos %[[F]] : f32
// CHECK: mask {

func.func @odd(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %one_ = arith.constant 1.0 : f32
  %one = graph.splat %one_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %tenth_ = arith.constant 0.1 : f32
  %tenth = graph.splat %tenth_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %d = arith.subi %qp, %kp : tensor<?x4x?xi32>
  %df = arith.sitofp %d : tensor<?x4x?xi32> to tensor<?x4x?xf32>
  %c = math.cos %df : tensor<?x4x?xf32>
  %ct = arith.mulf %c, %tenth : tensor<?x4x?xf32>
  %f = arith.addf %one, %ct : tensor<?x4x?xf32>
  %r = arith.mulf %s, %f : tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// A mask made once serves two attentions.
// CHECK-LABEL: func.func @shared_mask
// CHECK-NOT: graph.scores
// CHECK-COUNT-2: graph.attention
// CHECK-NOT: graph.position

func.func @shared_mask(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
  %r = arith.select %seen, %s, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %p0 = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o0 = graph.mix %p0, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  %s1 = graph.scores %o0, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %r1 = arith.select %seen, %s1, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %p = graph.softmax %r1 : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// Division by a positive constant keeps -inf, so the mask below it comes off.
// CHECK-LABEL: func.func @divided
// CHECK: score {
// CHECK-NOT: arith.select
// CHECK: arith.divf
// CHECK: mask {
// CHECK: arith.cmpi sle
func.func @divided(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %two_ = arith.constant 2.0 : f32
  %two = graph.splat %two_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
  %a = arith.select %seen, %s, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %r = arith.divf %a, %two : tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// A negative factor turns -inf into +inf: that is no mask.
// CHECK-LABEL: func.func @negative
// CHECK: score {
// CHECK: arith.select
// CHECK: arith.mulf
// CHECK: mask {
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.constant true
func.func @negative(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %two_ = arith.constant -2.0 : f32
  %two = graph.splat %two_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %inf_ = arith.constant 0xFF800000 : f32
  %inf = graph.splat %inf_ like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
  %a = arith.select %seen, %s, %inf : tensor<?x4x?xi1>, tensor<?x4x?xf32>
  %r = arith.mulf %a, %two : tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}
