func.func @main(%x: tensor<2x8xf32> {onnx.name = "x"}) -> (tensor<2x8xf32> {onnx.name = "y"})
    attributes {bitnet.entry = "main"} {
  %e = tensor.empty() : tensor<2x8xf32>
  %y = bitnet.norm ins(%x : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>)
      {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}
