"""Use of a trained network: any video becomes windows, windows become what the network says of them."""
